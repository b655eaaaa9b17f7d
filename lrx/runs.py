"""Run folders: one config each, kept as config.yaml, so that the same command goes on and another one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from lrx.atomic import replacing

FILENAME = "config.yaml"

# Keys that may differ between the starts of one run: they say where and how often, not what is computed.
FREE = {"name", "dataset.root", "device", "trainer.device", "trainer.checkpoint_every", "trainer.log_every"}


class RunConfig(Protocol):
    """The part of lrx.cli.Config that says what a run is."""

    @property
    def text(self) -> str:
        """The whole config as yaml."""
        ...

    def flat(self, text: str | None = None) -> dict[str, str]:
        """Every dotted key and its value as text: of this config, or of another one's text."""
        ...


def check_same(folder: Path, config: RunConfig) -> None:
    """ValueError that lists the keys in which a config differs from the one that made this folder, if one did."""
    path = folder / FILENAME
    if not path.exists():
        return
    before, now = config.flat(path.read_text(encoding="utf-8")), config.flat()
    different = [
        f"{key} (was {before.get(key, 'not there')}, now {now.get(key, 'not there')})"
        for key in sorted({*before, *now} - FREE)
        if before.get(key) != now.get(key)
    ]
    if different:
        raise ValueError(
            f"{folder} was made by another config: {', '.join(different)}; give these values, or another name="
        )


def write_config(folder: Path, config: RunConfig) -> None:
    """Keep the config of a run in its folder."""
    with replacing(folder / FILENAME) as beside:
        beside.write_text(config.text, encoding="utf-8")

"""Run folders: one config each, kept as config.yaml, so that the same command goes on and another one is refused.

A job of a sweep has a folder named after what it computes; a pattern names many.
"""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from lrx.atomic import replacing

FILENAME = "config.yaml"

# Keys that may differ between the starts of one run: they say where and how often, not what is computed.
FREE = {"name", "dataset.root", "device", "trainer.device", "trainer.checkpoint_every", "trainer.log_every"}
FREE |= {"then", "track", "trust", "dataset.workers"}


class RunConfig(Protocol):
    """The part of lrx.cli.Config that says what a run is."""

    @property
    def text(self) -> str:
        """The whole config as yaml."""
        ...

    def flat(self, text: str | None = None) -> dict[str, str]:
        """Every dotted key and its value as text: of this config, or of another one's text."""
        ...


def identity(config: RunConfig) -> str:
    """What is computed, as text: every key and value but those that are free."""
    return "\n".join(f"{key}={value}" for key, value in sorted(config.flat().items()) if not _is_free(key))


def check_same(folder: Path, config: RunConfig) -> None:
    """ValueError that lists the keys in which a config differs from the one that made this folder, if one did."""
    path = folder / FILENAME
    if not path.exists():
        return
    try:
        before, now = config.flat(path.read_text(encoding="utf-8")), config.flat()
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); restore it, or give another name=") from error
    different = [
        f"{key} (was {before.get(key, 'not there')}, now {now.get(key, 'not there')})"
        for key in sorted({*before, *now})
        if not _is_free(key) and before.get(key) != now.get(key)
    ]
    if different:
        raise ValueError(
            f"{folder} was made by another config: {', '.join(different)}; give these values, or another name="
        )


def write_config(folder: Path, config: RunConfig) -> None:
    """Keep the config of a run in its folder."""
    with replacing(folder / FILENAME) as beside:
        beside.write_text(config.text, encoding="utf-8")


def _is_free(key: str) -> bool:
    return key in FREE or key.split(".")[0] in FREE  # a list, such as trust, has a key for each place


def run_id(overrides: Sequence[str]) -> str:
    """A folder for one job of a sweep: the values in its overrides, and a few digits that tell apart what looks alike.

    The same overrides give the same folder, however many other jobs a sweep has, so that a sweep that is started again
    or grows finds what is done.

    >>> run_id(["name=sweep", "model=vae", "seed=0", "ckpt=outputs/train/a"])
    'a-vae-0-5b8202'
    """
    keys = [word.partition("=")[0].lstrip("+~") for word in overrides]
    kept = sorted(word for word, key in zip(overrides, keys, strict=True) if not _is_free(key) and key != "shard")
    values = [word.partition("=")[2].rstrip("/").rpartition("/")[2] for word in kept]
    words = "-".join(re.sub(r"[^A-Za-z0-9.]+", "_", value).strip("_") for value in values)
    return f"{words[:60]}-{hashlib.sha256(' '.join(kept).encode()).hexdigest()[:6]}"


def globbed(word: str) -> str:
    """`ckpt=glob(outputs/train/sweep/*)` as the run folders and checkpoints that it matches, separated by commas."""
    pattern = re.fullmatch(r"ckpt=glob\((.*)\)", word)
    if pattern is None:
        return word
    matches = map(Path, sorted(glob.glob(pattern[1].strip("'\""))))
    found = [path for path in matches if path.suffix == ".pt" or (path / "checkpoint.pt").is_file()]
    if not found:
        raise ValueError(f"{word} matches no run folder with a checkpoint and no .pt file")
    odd = [path for path in found if set("'\\$") & set(str(path))]
    if odd:
        raise ValueError(f"{word} matches {odd[0]}, whose name has a quote, a backslash or a dollar; rename it")
    return "ckpt=" + ",".join(f"'{path}'" for path in found)


def sharded(words: list[str]) -> list[str]:
    """`assay.shards=3` as a sweep over shard=1of3,2of3,3of3, each in a folder of that name below the whole's own."""
    given = [word for word in words if word.startswith("assay.shards=")]
    rest = [word for word in words if word not in given]
    if not given:
        return words
    count = given[-1].partition("=")[2]
    if not re.fullmatch(r"[1-9][0-9]{0,5}", count):
        raise ValueError(f"assay.shards must be a whole number of at least 1, not {count!r}")
    if count == "1":
        return rest
    if any(word.startswith("assay.target_se=") and word != "assay.target_se=null" for word in words):
        raise ValueError("assay.target_se goes on until all draws so far are enough, which no shard knows")
    parts = ",".join(f"{number}of{count}" for number in range(1, int(count) + 1))
    sweeping = {"-m", "--multirun"} & set(words)  # then each of its jobs is a whole, with a folder of its own
    folder = "${run_id:${hydra.overrides.task}}/${shard}" if sweeping else "${shard}"
    return [*rest, *([] if sweeping else ["-m"]), f"shard={parts}", f"hydra.sweep.subdir='{folder}'"]

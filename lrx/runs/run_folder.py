"""Run folders: one config each, kept as config.yaml, so that the same command goes on and another one is refused.

A job of a sweep has a folder named after what it computes; a pattern names many.
"""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from lrx.core.paths import CHECKPOINT
from lrx.core.text import join_names
from lrx.storage.atomic import atomic_path

FILENAME = "config.yaml"

# Keys that may differ between the starts of one run: they say where and how often, not what is computed.
FREE = {"name", "dataset.root", "device", "trainer.device", "trainer.checkpoint_every", "trainer.log_every"}
FREE |= {"then", "track", "trust", "dataset.workers"}


OFF = ("None", "False")  # values as RunConfig.flat has them


STEPS = "trainer.steps"
SWEPT = r"(range|interval|choice|shuffle|sort|tag|glob)\("  # functions of Hydra's grammar that give several values


class RunConfig(Protocol):
    """The part of lrx.cli.main.Config that says what a run is."""

    @property
    def text(self) -> str:
        """The whole config as yaml."""
        ...

    def flat(self, text: str | None = None) -> dict[str, str]:
        """Every dotted key and its value as text: of this config, or of another one's text."""
        ...


def identity(config: RunConfig, text: str | None = None) -> str:
    """What is computed, as text: every key and value but those that are free, of a config or of another one's text."""
    return "\n".join(f"{key}={value}" for key, value in sorted(config.flat(text).items()) if not _is_free(key))


def kept_identity(folder: Path, config: RunConfig) -> str:
    """The same of the config that a folder keeps, which passed `check_same`: it may lack keys that came later."""
    path = folder / FILENAME
    return identity(config, path.read_text(encoding="utf-8") if path.exists() else None)


def check_same(folder: Path, config: RunConfig) -> None:
    """ValueError that lists the keys in which a config differs from the one that made this folder, if one did.

    A key that only one of them has is no difference while it is off (null or false): lrx gained or lost it in between.
    """
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
        if not _is_free(key)
        and not _is_same(before.get(key), now.get(key))
        and not (key == STEPS and _trains_on(before, now))
    ]
    if different:
        raise ValueError(
            f"{folder} was made by another config: {join_names(different)}; give these values, or another name="
        )


def _trains_on(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether a config only asks for more steps, where those that are done do not depend on how many there will be."""
    counts = [str(flat.get(STEPS, "")) for flat in (before, now)]
    schedules = {flat.get("trainer.schedule") for flat in (before, now)}
    return all(count.isdigit() for count in counts) and int(counts[0]) < int(counts[1]) and schedules == {"constant"}


def write_config(folder: Path, config: RunConfig) -> None:
    """Keep the config of a run in its folder."""
    with atomic_path(folder / FILENAME) as beside:
        beside.write_text(config.text, encoding="utf-8")


def _is_same(one: str | None, other: str | None) -> bool:
    """Whether two values of a key are the same, where None says that the key is not there."""
    return one == other or (None in (one, other) and {one, other} <= {None, *OFF})


def _is_free(key: str) -> bool:
    return key in FREE or key.split(".")[0] in FREE  # a list, such as trust, has a key for each place


def run_id(overrides: Sequence[str], swept: str = "", sweep: str = "") -> str:
    """A folder for one job of a sweep: the values in its overrides, and a few digits that tell apart what looks alike.

    The same overrides give the same folder, however many other jobs a sweep has, so that a sweep that is started again
    or grows finds what is done.

    swept: the keys that vary, which alone give their values to the name, separated by spaces; none: all. sweep: the
    folder of the sweep; a run of these overrides that lies in it keeps its folder's name, whatever varied then.

    >>> run_id(["name=sweep", "model=vae", "seed=0", "ckpt=outputs/train/a"])
    'a-vae-0-5b8202e4'
    >>> run_id(["trainer.lr=0.30000000000000004", "seed=0", "trainer.steps=100"], "trainer.lr seed")
    '0-0.3-f4123560'
    """
    chosen = set(swept.split())
    keys = [word.partition("=")[0].lstrip("+~") for word in overrides]
    kept = sorted(word for word, key in zip(overrides, keys, strict=True) if not _is_free(key) and key != "shard")
    values = [_short(word.partition("=")[2]) for word in kept if not chosen or word.partition("=")[0] in chosen]
    words = "-".join(re.sub(r"[^A-Za-z0-9.]+", "_", value).strip("_") for value in values)
    mark = hashlib.sha256(" ".join(kept).encode()).hexdigest()[:8]
    there = sorted(Path(sweep).glob(f"*-{mark}")) if sweep and chosen else []
    return there[0].name if there else f"{words[:60]}-{mark}"


def _short(value: str) -> str:
    """A value as a name has it: of a path the end, of a number four digits."""
    if re.fullmatch(r"-?\d+\.?\d*(e[-+]?\d+)?", value, re.I) and not value.lstrip("-").isdigit():
        return f"{float(value):.4g}"
    return value.rstrip("/").rpartition("/")[2]


def name_sweep_folders(words: list[str]) -> list[str]:
    """A sweep whose folders are named after the keys that vary, unless the words name them or no key varies."""
    if not {"-m", "--multirun"} & set(words) or any(word.startswith("hydra.sweep.subdir=") for word in words):
        return words
    pairs = [word.partition("=") for word in words if "=" in word and not word.startswith(("hydra.", "hydra/", "-"))]
    swept = [key for key, _, value in pairs if "," in re.sub(r"\[.*\]|\{.*\}", "", value) or re.match(SWEPT, value)]
    if not swept:
        return words
    return [
        *words,
        "hydra.sweep.subdir='${run_id:${hydra.overrides.task},\"" + " ".join(swept) + "\",${hydra.sweep.dir}}'",
    ]


def expand_glob(word: str) -> str:
    """`ckpt=glob(outputs/train/sweep/*)` as the run folders and checkpoints that it matches, separated by commas."""
    pattern = re.fullmatch(r"ckpt=glob\((.*)\)", word)
    if pattern is None:
        return word
    matches = map(Path, sorted(glob.glob(pattern[1].strip("'\""))))
    found = [path for path in matches if path.suffix == ".pt" or (path / CHECKPOINT).is_file()]
    if not found:
        raise ValueError(f"{word} matches no run folder with a checkpoint and no .pt file")
    odd = [path for path in found if set("'\\$") & set(str(path))]
    if odd:
        raise ValueError(f"{word} matches {odd[0]}, whose name has a quote, a backslash or a dollar; rename it")
    return "ckpt=" + ",".join(f"'{path}'" for path in found)


def expand_shards(words: list[str]) -> list[str]:
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

"""Run folders of a sweep: their names, and the runs that are there already, whatever they are called.

A name has the model, what differs between runs, and 8 digits of the SHA-256 of the overrides (the mark). By the mark a
run is found again when other keys are swept; one that was renamed by the overrides in its status.json; an assay whose
checkpoint was moved by the SHA-256 of the checkpoint.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lrx.core.checksum import file_sha256, sha256
from lrx.core.paths import CHECKPOINT
from lrx.runs import status
from lrx.runs.run_folder import is_free

MARKED = re.compile(r".*-([0-9a-f]{8})")
MODELS = ("autoencoder._target_", "ckpt", "codes", "model", "weights")  # keys that say which model it is
LONGEST = 60  # characters of a name before its mark


class SweepFolder:
    """Folder of a sweep, whose runs are listed when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, overrides: Sequence[str]) -> str | None:
        """Return the name of the folder of a run with these overrides; None where there is none."""
        known = mark(overrides)
        return self._by_mark.get(known) or self._renamed.get(known) or self._of_moved_checkpoint(overrides)

    def differing(self, overrides: Sequence[str]) -> set[str]:
        """Return the keys of the overrides that other runs do not share."""
        every = [set(state.overrides) for state in self._states.values()]
        common = set.intersection(*every) if every else set(overrides)
        return {_key(word) for word in overrides if word not in common}

    @functools.cached_property
    def _names(self) -> list[str]:
        with suppress(OSError):
            return sorted(name for name in os.listdir(self.folder) if not name.startswith("."))
        return []

    @functools.cached_property
    def _by_mark(self) -> dict[str, str]:
        matches = [MARKED.fullmatch(name) for name in reversed(self._names)]
        return {match[1]: match[0] for match in matches if match}

    @functools.cached_property
    def _renamed(self) -> dict[str, str]:
        """Names of runs by the mark of their overrides; that of a renamed one may end as if it had another mark."""
        return {mark(state.overrides): name for name, state in self._states.items()}

    @functools.cached_property
    def _states(self) -> dict[str, status.Status]:
        states = {name: status.read(self.folder / name) for name in self._names}
        return {name: state for name, state in states.items() if state is not None and state.overrides}

    @functools.cached_property
    def _measured(self) -> dict[str, dict[str, tuple[str, str]]]:
        """Names of assays and the paths of their checkpoints, by the mark without `ckpt` and by SHA-256."""
        measured: dict[str, dict[str, tuple[str, str]]] = {}
        for name, state in self._states.items():
            path, rest = _split(state.overrides)
            if path and state.inputs and "checkpoint" in state.inputs:
                measured.setdefault(mark(rest), {})[state.inputs["checkpoint"]] = name, path
        return measured

    def _of_moved_checkpoint(self, overrides: Sequence[str]) -> str | None:
        """Return the assay of the same checkpoint, which lay elsewhere then."""
        path, rest = _split(overrides)
        alike = self._measured.get(mark(rest), {}) if path else {}
        if not alike:
            return None
        from lrx.training import checkpoint  # torch

        try:
            digest = file_sha256(checkpoint.find(path))
        except (OSError, ValueError):  # which the job itself says
            return None
        name, before = alike.get(digest, (None, ""))
        return None if Path(before).exists() else name


def mark(overrides: Sequence[str]) -> str:
    """Return 8 digits of the SHA-256 of overrides, without those that do not change what is computed."""
    return sha256(" ".join(_computed(overrides)))[:8]


def run_id(overrides: Sequence[str], swept: str = "", model: str = "") -> str:
    """Return the folder name of one job of a sweep: its model, the values of its overrides, and their mark.

    The same overrides give the same mark. swept: keys whose values are named, separated by spaces; none: all.
    model: what it is called where no override says it.

    >>> run_id(["name=sweep", "model=vae", "seed=0", "ckpt=outputs/train/a"])
    'a-vae-0-5b8202e4'
    >>> run_id(["trainer.lr=0.30000000000000004", "seed=0", "trainer.steps=100"], "trainer.lr seed", "betavae")
    'betavae-0-0.3-f4123560'
    """
    named = set(swept.split())
    pairs = [word.partition("=")[::2] for word in _computed(overrides)]
    models = [_short(value, key) for key, value in pairs if key.lstrip("+") in MODELS] or [model]
    rest = [_short(value, key) for key, value in pairs if key not in MODELS and (key in named or not named)]
    label = next((word.partition("=")[2] for word in overrides if word.startswith("variant=")), "")
    if {*models} <= {*re.split("[-_]", label)}:  # a variant that says its model
        models = []
    values = [re.sub(r"[^A-Za-z0-9.]+", "_", value).strip("_.") for value in (*models, label, *rest)]
    return f"{'-'.join(filter(None, values))[:LONGEST]}-{mark(overrides)}"


def _computed(overrides: Sequence[str]) -> list[str]:
    """Return the overrides that say what is computed, in order."""
    return sorted(word for word in overrides if not is_free(_key(word)) and _key(word) != "shard")


def _split(overrides: Sequence[str]) -> tuple[str, list[str]]:
    """Return the path of the checkpoint, empty where none is named, and the other overrides."""
    paths = [word.partition("=")[2].strip("'\"") for word in overrides if _key(word) == "ckpt"]
    return (paths or [""])[-1], [word for word in overrides if _key(word) != "ckpt"]


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def _short(value: str, key: str) -> str:
    """Shorten a value for a name: the last part of a path or of a class, four digits of a number."""
    value = value.strip("'\"")
    if re.fullmatch(r"-?\d+\.?\d*(e[-+]?\d+)?", value, re.I) and not value.lstrip("-").isdigit():
        return f"{float(value):.4g}"
    if key.endswith("_target_"):
        return value.rpartition(".")[2]
    return value.rstrip("/").removesuffix(f"/{CHECKPOINT}").rpartition("/")[2]

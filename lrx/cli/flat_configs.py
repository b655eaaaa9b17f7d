"""Flat configs of the jobs of a sweep, composed once for all jobs that have the same choices of groups.

Hydra takes a sixth of a second to compose the config of a job. Jobs that differ in single values alone, such as seed=3
and model.beta=4, have the config of the first of them with these values; that of the last one is composed as well, and
where it is another than expected, all are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from lrx.cli.config import Config
from lrx.cli.overrides import job_folder
from lrx.cli.sweep_configs import REFUSAL

Words = Sequence[str]
SUBDIR = "${job_folder:${hydra.overrides.task},${hydra.sweep.dir}}"  # of the yaml of lrx's commands
SINGLE = (str, int, float, bool, type(None))


class FlatConfigs:
    """Configs of jobs by their words, flat as `Config.flat`, and their folders.

    swept: the keys that vary, by which folders are named.
    """

    def __init__(
        self, loader: ConfigLoaderImpl, sweep: DictConfig, jobs: Sequence[Words], swept: Sequence[str]
    ) -> None:
        self._loader, self._sweep, self._swept = loader, sweep, swept
        self._values: dict[str, object] = {}
        words_of: dict[str, set[str]] = {}
        for word in (word for words in jobs for word in words):
            words_of.setdefault(_key(word), set()).add(word)
        varying = {key for key, words in words_of.items() if len(words) > 1}
        self._single = {key for key in varying if self._is_single(key, words_of[key])}
        self._ends: dict[Words, list[Words]] = {}
        for words in jobs:
            ends = self._ends.setdefault(self._choices(words), [words])
            ends[1:] = [words]
        self._composed: dict[Words, dict[str, str] | None] = {}
        raw = OmegaConf.to_container(sweep.hydra.sweep)
        assert isinstance(raw, dict)
        # a folder that depends on more than the name, or a name that varies, is Hydra's to find
        named = re.findall(r"\$\{([^}]*)\}", str(raw["dir"]))
        self._is_known = raw["subdir"] == SUBDIR and set(named) <= {"name"} and "name" not in varying
        top, here = Path(os.path.abspath(str(sweep.hydra.sweep.dir))), Path.cwd()
        self._top = top.relative_to(here) if top.is_relative_to(here) else top

    def config(self, words: Words) -> Config:
        """Compose the config of a job."""
        node = self._loader.load_sweep_config(self._sweep, list(words))
        choices = dict(node.hydra.runtime.choices)
        with open_dict(node):
            del node["hydra"]
        return Config(node, choices, tuple(words))

    def folder(self, words: Words) -> Path:
        """Return the run folder of a job."""
        return self._top / job_folder(words, str(self._top), swept=self._swept)

    def flat(self, words: Words) -> dict[str, str] | None:
        """Return the config of a job; None where it takes Hydra to know it."""
        if not self._is_known:
            return None
        choices = self._choices(words)
        if choices not in self._composed:
            self._composed[choices] = self._compose(self._ends[choices])
        first = self._composed[choices]
        return None if first is None else self._with_values(first, words)

    def _compose(self, ends: list[Words]) -> dict[str, str] | None:
        """Compose the first and the last of jobs with the same choices; None where the values of one are not all."""
        flats = [self.config(words).flat() for words in ends]
        if any(REFUSAL in flat for flat in flats):
            return None
        expected = [self._with_values(flats[0], words) for words in ends]
        return flats[0] if expected == flats else None

    def _with_values(self, flat: dict[str, str], words: Words) -> dict[str, str] | None:
        """Return a config with the single values of a job; None where it lacks one of the keys."""
        values = {key: str(self._values[word]) for word in words if (key := _key(word)) in self._single}
        return {**flat, **values} if values.keys() <= flat.keys() else None

    def _choices(self, words: Words) -> tuple[str, ...]:
        return tuple(word for word in words if _key(word) not in self._single)

    def _is_single(self, key: str, words: set[str]) -> bool:
        """Return whether a key is that of a single value in all its words, which are parsed."""
        if not re.fullmatch(r"\w+(\.\w+)*", key) or self._loader.repository.group_exists(key):
            return False
        parsed = {word: OverridesParser.create().parse_override(word).value() for word in words}
        self._values |= parsed
        return all(isinstance(value, SINGLE) for value in parsed.values())


def _key(word: str) -> str:
    return word.partition("=")[0]

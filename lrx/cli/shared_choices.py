"""Configs of jobs of one sweep that have the same choices of groups, composed once.

Hydra reads and merges every yaml anew for each job (70 ms), though most jobs differ in values alone, such as `seed=3`.
Here Hydra composes a config for each combination of choices; a job gets a copy, and Hydra's own code sets its values in
it (5 ms). Where keys and values as text are enough, single values are put into those of the first such job (0.1 ms).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra._internal.config_repository import IConfigRepository
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, open_dict

from lrx.cli.config import Config

PLAIN = re.compile(r"\w+(\.\w+)*")  # keys
SINGLE = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Word:
    """Override as Hydra parses it.

    is_choice: it may change the choices of groups. single: its value as text, where it only changes a single value.
    """

    override: Override
    is_choice: bool
    single: str | None


class SharedChoices:
    """Configs of a sweep by their choices; Hydra's errors come as from Hydra, if in another order."""

    def __init__(self, compose: Callable[[list[str]], DictConfig], repository: IConfigRepository) -> None:
        self._compose, self._repository = compose, repository
        self._words: dict[str, Word] = {}
        self._composed: dict[tuple[str, ...], DictConfig] = {}
        self._flat: dict[tuple[str, ...], dict[str, str] | None] = {}  # None: values are not all that differs

    def config(self, words: Sequence[str]) -> DictConfig:
        """Return the config of these words, which a job may change."""
        parsed = [self._parsed(word) for word in words]
        config = copy.deepcopy(self._with_choices(words))
        ConfigLoaderImpl._apply_overrides_to_config([word.override for word in parsed if not word.is_choice], config)
        task = [word.override for word in parsed if not word.override.is_hydra_override()]
        job = config.hydra.job
        config.hydra.overrides.task = [word.input_line for word in task]
        job.override_dirname = get_overrides_dirname(task, **job.config.override_dirname)
        return config

    def model(self, words: Sequence[str]) -> str | None:
        """Return the choice of the group `model`; None where there is no such group."""
        model: str | None = self._with_choices(words).hydra.runtime.choices.get("model")
        return model

    def flat(self, words: Sequence[str]) -> dict[str, str] | None:
        """Return the config of these words as `Config.flat` does; None where a value is of a key that is not single."""
        parsed = {word: self._parsed(word) for word in words}
        values = {known.override.key_or_group: known.single for known in parsed.values() if known.single is not None}
        others = tuple(word for word, known in parsed.items() if known.single is None)
        if others not in self._flat:
            first = _flat(self.config(others))
            self._flat[others] = first if _with(first, values) == _flat(self.config(words)) else None
        return _with(self._flat[others], values)

    def _with_choices(self, words: Sequence[str]) -> DictConfig:
        choices = tuple(word for word in words if self._parsed(word).is_choice)
        if choices not in self._composed:
            self._composed[choices] = self._compose(list(choices))
        return self._composed[choices]

    def _parsed(self, word: str) -> Word:
        if word not in self._words:
            (parsed,) = OverridesParser.create().parse_overrides([word])
            key, value = parsed.key_or_group, parsed.value()
            is_group = self._repository.group_exists(key)
            is_value = not is_group or isinstance(value, dict)  # as in hydra._internal.defaults_list
            is_choice = key.startswith("hydra") or parsed.is_sweep_override() or not is_value
            is_single = isinstance(value, SINGLE) and parsed.type == OverrideType.CHANGE and bool(PLAIN.fullmatch(key))
            single = str(value) if is_single and not is_choice and not is_group and parsed.package is None else None
            self._words[word] = Word(parsed, is_choice, single)
        return self._words[word]


def _with(flat: dict[str, str] | None, values: dict[str, str]) -> dict[str, str] | None:
    """Return a flat config with other values; None where it lacks one of their keys."""
    return None if flat is None or not values.keys() <= flat.keys() else {**flat, **values}


def _flat(config: DictConfig) -> dict[str, str]:
    with open_dict(config):
        del config["hydra"]
    return Config(config, {}).flat()

"""Configs of jobs of one sweep that have the same choices of groups, composed once.

Hydra reads and merges every yaml anew for each job (70 ms), though most jobs differ in values alone, such as `seed=3`.
Here Hydra composes a config for each combination of choices; a job gets a copy, and Hydra's own code sets its values in
it (5 ms).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra._internal.config_repository import IConfigRepository
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig


class SharedChoices:
    """Configs of a sweep by their choices; Hydra's errors come as from Hydra, if in another order."""

    def __init__(self, compose: Callable[[list[str]], DictConfig], repository: IConfigRepository) -> None:
        self._compose, self._repository = compose, repository
        self._words: dict[str, tuple[Override, bool]] = {}
        self._composed: dict[tuple[str, ...], DictConfig] = {}

    def config(self, words: Sequence[str]) -> DictConfig:
        """Return the config of these words, which a job may change."""
        parsed = [self._parsed(word) for word in words]
        choices = tuple(word for word, (_, is_choice) in zip(words, parsed, strict=True) if is_choice)
        if choices not in self._composed:
            self._composed[choices] = self._compose(list(choices))
        config = copy.deepcopy(self._composed[choices])
        ConfigLoaderImpl._apply_overrides_to_config([word for word, is_choice in parsed if not is_choice], config)
        task, job = [word for word, _ in parsed if not word.is_hydra_override()], config.hydra.job
        config.hydra.overrides.task = [word.input_line for word in task]
        job.override_dirname = get_overrides_dirname(task, **job.config.override_dirname)
        return config

    def _parsed(self, word: str) -> tuple[Override, bool]:
        """Return a word as Hydra parses it, and whether it may change the choices."""
        if word not in self._words:
            (parsed,) = OverridesParser.create().parse_overrides([word])
            is_group = self._repository.group_exists(parsed.key_or_group)
            is_value = not is_group or isinstance(parsed.value(), dict)  # as in hydra._internal.defaults_list
            is_choice = parsed.key_or_group.startswith("hydra") or parsed.is_sweep_override() or not is_value
            self._words[word] = (parsed, is_choice)
        return self._words[word]

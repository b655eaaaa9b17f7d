"""Configs of the jobs of a sweep: each job is judged alone, so that the others run.

Hydra applies the words of a sweep that do not vary to the default config as well, where the group of a key may have
another choice: `-m model=dipvae_i,dipvae_ii model.lambda_od=5` then has no such key. And it ends the sweep before its
first job where one config cannot be composed, as for `-m model=betavae,vae model.beta=1,4`. Here such a job gets a
config that says why, and fails when it runs, on whatever machine. Loaders are pickled as the name of their class.
"""

from __future__ import annotations

import copy
import functools
import os
from contextlib import suppress
from pathlib import Path

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, HydraException
from hydra.plugins.sweeper import Sweeper
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from lrx.cli.commands.registry import CONFIG_COMMANDS
from lrx.cli.errors import message
from lrx.cli.shared_choices import SharedChoices
from lrx.cli.unknown_keys import NO_KEY, about_unknown
from lrx.cli.variants import VARIANT, Variants, job_words
from lrx.runs import plan

REFUSAL = "_refusal_"  # key of the line that a job's config has where it could not be composed
RECORDS = {"multirun.yaml", plan.FILENAME, plan.LOCK}  # of Hydra and lrx, in the folder of a sweep


def refusal_of(config: DictConfig) -> str | None:
    """Return why the config of a job could not be composed; None where it could."""
    reason = config.get(REFUSAL)
    return None if reason is None else str(reason)


class JobConfigLoader(ConfigLoaderImpl):
    """Hydra's loader, for which a job whose config cannot be composed is a job that fails."""

    _command = ""  # whose config was composed
    _shared: tuple[tuple[str, ...], SharedChoices] | None = None  # of the sweep that these words begin

    def __getstate__(self) -> dict[str, object]:
        """Leave configs that are kept here, and nothing else, out of what goes to other processes."""
        return {name: value for name, value in self.__dict__.items() if name != "_shared"}

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Compose a config; that of a sweep over the choices of a group leaves keys of groups to the jobs if it must.

        HydraException for words that are wrong in all jobs.
        """
        self._command = config_name or self._command
        rest = (run_mode, from_shell, validate_sweep_overrides)
        try:
            return super().load_configuration(config_name, overrides, *rest)
        except HydraException:
            words = OverridesParser.create().parse_overrides(overrides)
            left = [str(word.input_line) for word in words if not _is_of_jobs(word)]
            if run_mode != RunMode.MULTIRUN or len(left) == len(words) or not any(map(self._sweeps_choices, words)):
                raise
            config = super().load_configuration(config_name, left, *rest)
        config.hydra.overrides.task = [word.input_line for word in words if not word.is_hydra_override()]
        return config

    def _load_configuration_impl(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Compose a config as Hydra does; of a key that it lacks the error names what is near."""
        rest = (run_mode, from_shell, validate_sweep_overrides)
        try:
            return super()._load_configuration_impl(config_name, overrides, *rest)
        except ConfigCompositionException as error:
            unknown = NO_KEY.match(str(error))
            if unknown is None:
                raise
            words = OverridesParser.create().parse_overrides(overrides)
            choices = [str(word.input_line) for word in words if self.repository.group_exists(word.key_or_group)]
            try:
                config = super()._load_configuration_impl(config_name, choices, *rest)
            except (HydraException, OmegaConfBaseException):
                raise error from None
            raise ConfigCompositionException(about_unknown(unknown[1], config, self.repository)) from error

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """Compose the config of a job; of one that cannot be composed, the sweep's own with the reason."""
        with suppress(HydraException, OmegaConfBaseException, ValueError, OSError):
            return self._with_shared_choices(master_config, sweep_overrides)
        try:  # Hydra's own error, if it is one
            return super().load_sweep_config(master_config, sweep_overrides)
        except HydraException as error:
            config = copy.deepcopy(master_config)
            config.hydra.overrides.task = list(sweep_overrides)
            with open_dict(config):
                config[REFUSAL] = message(error)
            return config

    def get_group_options(
        self,
        group_name: str,
        results_filter: ObjectType | None = ObjectType.CONFIG,
        config_name: str | None = None,
        overrides: list[str] | None = None,
    ) -> list[str]:
        """Return the choices of a group, and of the top the groups that the command takes.

        Hydra copies its repository for each group that `--help` lists: 0.2 s.
        """
        command = CONFIG_COMMANDS.get(config_name or self._command)
        if command is not None and not group_name and results_filter != ObjectType.CONFIG:
            taken = command.groups
            return [group for group in self.repository.get_group_options("", results_filter) if group in taken]
        if config_name is None and not overrides:  # nothing that would add a folder of configs
            return self.repository.get_group_options(group_name, results_filter)
        return super().get_group_options(group_name, results_filter, config_name, overrides)

    def shared(self, master_config: DictConfig) -> tuple[SharedChoices, list[str]]:
        """Return the compositions that jobs of a sweep share, and its own words, which come before those of a job."""
        name, given = str(master_config.hydra.job.config_name), master_config.hydra.overrides.hydra
        words = [*map(str, OmegaConf.to_container(given, resolve=False) or ())]  # `${seed}` is that of the job
        key = (os.getcwd(), name, *words)
        if self._shared is None or self._shared[0] != key:
            repository = self._parse_overrides_and_create_caching_repo(name, words)[1]  # with hydra.searchpath
            compose = functools.partial(self.load_configuration, name, run_mode=RunMode.RUN)
            self._shared = key, SharedChoices(compose, repository)
        return self._shared[1], words

    def _with_shared_choices(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        choices, words = self.shared(master_config)
        config = choices.config([*words, *sweep_overrides])
        OmegaConf.copy_cache(from_config=master_config, to_config=config)  # of ${now:...}
        return config

    def _sweeps_choices(self, word: Override) -> bool:
        is_choice = word.key_or_group == VARIANT or self.repository.group_exists(word.key_or_group)
        return word.is_sweep_override() and is_choice


def _is_of_jobs(word: Override) -> bool:
    """Return whether a word sets a key below a group, which each job can judge for itself."""
    return "." in word.key_or_group and not word.is_hydra_override() and not word.is_sweep_override()


def check_jobs(sweeper: Sweeper, batch: list[list[str]], variants: Variants) -> None:
    """Check before the first batch of a sweep that some job can be composed; ValueError with the first one's reason."""
    if getattr(sweeper, "batch_index", 1) > 1:  # of Hydra's own sweeper, which knows all batches
        return
    context, sweep = sweeper.hydra_context, sweeper.config
    assert context is not None
    assert sweep is not None
    batches = getattr(sweeper, "overrides", None) or [batch]
    every = (job_words(words, variants) for part in batches for words in part)
    jobs = (context.config_loader.load_sweep_config(sweep, words) for words in every)
    reasons = []
    for config in jobs:
        reason = refusal_of(config)
        if reason is None:
            return
        reasons.append(reason)
    remove_empty_sweep(Path(str(sweep.hydra.sweep.dir)))
    raise ValueError(reasons[0])


def remove_empty_sweep(folder: Path) -> None:
    """Remove the folder of a sweep that holds nothing but Hydra's record of it, and its plan."""
    with suppress(OSError):
        if {path.name for path in folder.iterdir()} <= RECORDS:
            for name in RECORDS:
                (folder / name).unlink(missing_ok=True)
            folder.rmdir()

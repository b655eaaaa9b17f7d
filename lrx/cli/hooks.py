"""Changes of Hydra, argparse and warnings in the process that runs a command, for as long as it runs.

Importing a module of lrx changes nothing.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast

import hydra
from hydra._internal import hydra as hydra_internals
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.errors import InstantiationException
from hydra.plugins.launcher import Launcher
from hydra.plugins.plugin import Plugin
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig, OmegaConf

from lrx.cli.console.wrap import wrap_text
from lrx.cli.errors import job_result
from lrx.cli.overrides import job_folder
from lrx.cli.replaced import replaced
from lrx.cli.search_result import FILENAME, best_of_search
from lrx.cli.search_sweeper import TARGET as SEARCH
from lrx.cli.search_sweeper import SearchSweeper
from lrx.cli.sweep_configs import JobConfigLoader, check_jobs
from lrx.cli.sweep_launcher import Sweep, SweepLauncher
from lrx.cli.targets import import_from_current_folder, import_target
from lrx.cli.variants import Variants
from lrx.core.validation import SettingError
from lrx.storage.atomic import with_disk_context


@contextmanager
def hydra_hooks(words: Sequence[str], swept: Sequence[str], variants: Variants | None = None) -> Iterator[None]:
    """Have Hydra read these words as the command line, and work as lrx needs it, for the block.

    swept: the keys that vary in a sweep, by which `${job_folder:...}` in the yaml names the folders of its jobs. Hydra
    sends its resolvers along to the processes of a sweep. variants: overrides of jobs by the value of `variant`.
    """
    started = time.time_ns()
    before = {name: os.environ.get(name) for name in ("HYDRA_FULL_ERROR", "LOKY_MAX_CPU_COUNT")}
    plugins = Plugins.instance()
    with ExitStack() as stack:
        stack.enter_context(replaced(sys, "argv", ["lrx", *words]))
        # Hydra prints "Error executing job with overrides: [...]" before it raises; errors.py has its own line for that
        result = property(job_result, JobReturn.return_value.fset)  # type: ignore[attr-defined]
        stack.enter_context(replaced(JobReturn, "return_value", result))
        # Hydra takes launchers of the package `hydra_plugins` alone, which it does not find in an editable install
        sweep = Sweep(tuple(swept), started, variants or {})
        stack.enter_context(replaced(plugins, "_instantiate", functools.partial(_instantiate, plugins, sweep)))
        if not any("hydra" in word or word.startswith("-c") or word.startswith("--config") for word in words):
            # Hydra composes each config a first time to read hydra.mode, which configs of lrx do not set
            stack.enter_context(replaced(hydra_internals.Hydra, "get_mode", lambda *_, **__: None))
        # Hydra lets one job of a sweep that cannot be composed stop the others
        stack.enter_context(replaced(hydra_internals, "ConfigLoaderImpl", JobConfigLoader))
        check = functools.partialmethod(check_jobs, variants=sweep.variants)
        stack.enter_context(replaced(Sweeper, "validate_batch_is_legal", check))
        if sys.version_info >= (3, 14) and hasattr(argparse.ArgumentParser, "_check_help"):
            # Hydra 1.3 gives argparse a lazy help text, which Python 3.14 checks too early
            stack.enter_context(replaced(argparse.ArgumentParser, "_check_help", lambda self, action: None))
        # its own errors of a full disk name no path
        stack.enter_context(replaced(OmegaConf, "save", staticmethod(_save)))
        folder_of = functools.partial(job_folder, swept=tuple(swept), started=started)
        OmegaConf.register_new_resolver("job_folder", folder_of, replace=True)
        os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to us, not to Hydra's printer
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                os.environ.update({} if value is None else {name: value})


def _save(config: object, f: str | Path, resolve: bool = False) -> None:
    """Write a config as yaml, as OmegaConf.save does, and say what a search found. OSError names the path, and what is
    free there."""
    try:
        Path(f).write_text(OmegaConf.to_yaml(config, resolve=resolve), encoding="utf-8")
    except OSError as error:
        raise with_disk_context(error, Path(f), 0) from error
    if Path(f).name == FILENAME:
        messages = importlib.import_module("lrx.cli.console.messages")  # rich, which --help does without
        messages.note(best_of_search(cast(dict[str, object], OmegaConf.to_container(config)), Path(f)))


@contextmanager
def one_line_warnings() -> Iterator[None]:
    """Print a warning as one line, without the line of our code that gave it, for the block."""
    with replaced(
        warnings, "formatwarning", lambda text, *_, **__: f"{wrap_text(f'lrx: warning: {text}', sys.stderr)}\n"
    ):
        yield


def _instantiate(plugins: Plugins, sweep: Sweep, node: DictConfig) -> Plugin:
    """Build a launcher or sweeper; a launcher gets the jobs of a large sweep that are not finished. ValueError."""
    plugin = _plugin(plugins, node)
    if isinstance(plugin, Launcher):
        return SweepLauncher(plugin, sweep)
    return SearchSweeper(plugin) if isinstance(plugin, Sweeper) and node.get("_target_") == SEARCH else plugin


def _plugin(plugins: Plugins, node: DictConfig) -> Plugin:
    """Build the launcher or sweeper that a node names: one of Hydra's plugins, or a class at any importable name.

    ValueError for a target that is not there or is neither, and for settings that it does not take.
    """
    target, key = str(node.get("_target_")), str(node._get_full_key("_target_"))
    group = key.removesuffix("._target_")
    try:
        cores = os.environ.get("SLURM_CPUS_PER_TASK", "")
        if target.endswith(".JoblibLauncher") and cores.isdecimal():  # which shares all cores it sees among its workers
            os.environ.setdefault("LOKY_MAX_CPU_COUNT", cores)
        if target in plugins.class_name_to_class:
            return Plugins._instantiate(plugins, node)
        import_from_current_folder()
        plugin = import_target(key, target)
        contract = Launcher if group.endswith("launcher") else Sweeper
        if not (isinstance(plugin, type) and issubclass(plugin, contract)):
            raise ValueError(
                f"{key}={target} is no {contract.__name__.lower()}; give a subclass of "
                f"{contract.__module__}.{contract.__name__}"
            )
        made: Plugin = hydra.utils.instantiate(node, _target_=plugin)
    except InstantiationException as error:
        if isinstance(error.__cause__, SettingError):
            raise ValueError(f"{group}.{error.__cause__}") from error
        if isinstance(error.__cause__, TypeError):
            raise ValueError(f"{group}: {error.__cause__}") from error
        raise
    return made

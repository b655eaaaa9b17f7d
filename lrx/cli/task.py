"""Hydra's task: run a command on the config that was composed, in the folder that Hydra made."""

from __future__ import annotations

import contextlib
import importlib
import os
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from lrx.cli import errors
from lrx.cli.commands.registry import CONFIG_COMMANDS
from lrx.cli.config import Config
from lrx.cli.console.streams import tolerant_streams
from lrx.cli.hooks import one_line_warnings
from lrx.cli.overrides import check_name
from lrx.cli.sweep_configs import refusal_of
from lrx.core.foreign_code import is_out_of_memory
from lrx.core.text import did_you_mean, join_names
from lrx.runs import status

UserError = (ValueError, OSError, MemoryError, HydraException, OmegaConfBaseException, yaml.YAMLError)
OF_THE_TRAINING = ("ckpt", "codes", "name", "shard")  # keys that an assay in `then` cannot have


@dataclass(frozen=True)
class Task:
    """Task of one command, which is pickled as its name for the processes of a sweep."""

    command: str

    def __call__(self, node: DictConfig) -> float | None:
        """Run the command; return its score, if it has one. A job of a sweep that fails raises SweepError."""
        with tolerant_streams(), one_line_warnings():  # in a process of its own, too
            return _run_job(self.command, node)


def _run_job(command: str, node: DictConfig) -> float | None:
    """Run a command as a single run or as a job of a sweep, which prints a line when it ends."""
    state = HydraConfig.get()
    path = Path(state.runtime.output_dir)
    here = Path.cwd()
    folder = path.relative_to(here) if here in path.parents else path
    overrides = tuple(state.overrides.task)
    if state.runtime.choices.get("hydra/launcher") == "joblib":
        os.environ["TTY_COMPATIBLE"] = "0"  # rich: jobs side by side write lines, no bars over each other's
    config = Config(node, dict(state.runtime.choices), overrides)
    try:
        if state.mode != RunMode.MULTIRUN or "SUBMITIT_EXECUTOR" in os.environ:  # such a job has a log of its own
            return _run(command, config, node, folder)
        with importlib.import_module("lrx.cli.console.messages").job(folder.name, command) as outcome:
            score = _run(command, config, node, folder)
            if score is not None:
                outcome.insert(0, f"loss {score:.4g}")
        return score
    except KeyboardInterrupt as error:
        effect = "goes on there" if command == "train" else "starts it again"
        named = f", with name={node.name}" if "name" in node else ""
        raise KeyboardInterrupt(f"{str(error) or 'stopped'}; the same command {effect}{named}") from error
    except UserError as error:
        if state.mode != RunMode.MULTIRUN:  # who typed it reads why; a sweep keeps its refused jobs
            with contextlib.suppress(OSError):
                status.remove_refused(folder)
            raise
        if os.environ.get("LRX_DEBUG"):
            traceback.print_exc()
        line = errors.message(error)
        before = status.read(folder) or status.Status("queued")
        is_alone = os.environ.get("WORLD_SIZE", "1") == "1"  # else another process may have said why
        if before.state == "queued" or (before.state == "failed" and is_alone):  # the sweep knows why it failed last
            job = status.scheduler_job(os.environ)
            failed = replace(before, state="failed", command=command, overrides=overrides, error=line, job=job)
            with contextlib.suppress(OSError):  # on a full disk, the error that led here is the one to tell
                status.write(folder, failed)
        raise errors.job_error(state.job.num, " ".join(overrides), line) from error


def _run(command: str, config: Config, node: DictConfig, folder: Path) -> float | None:
    """Check the keys of a command and call its function, then the assay that `then` asks for."""
    try:
        refusal = refusal_of(node)
        if refusal is not None:
            raise ValueError(refusal)
        missing = sorted(OmegaConf.missing_keys(node))
        if missing:
            raise ValueError(f"lrx {command} needs {', '.join(f'{key}=...' for key in missing)}")
        check_name(str(node.get("name", command)))
        unknown = sorted({str(key) for key in node} - CONFIG_COMMANDS[command].keys)
        if unknown:
            hint = did_you_mean(unknown[0], CONFIG_COMMANDS[command].keys) or f"; lrx {command} --help lists the keys"
            raise ValueError(f"lrx {command} has no key {join_names(unknown)}{hint}")
        # composed and checked now: a mistake in it costs no training
        after = following_assay(node.then, folder) if node.get("then") else None
        if after is not None:
            importlib.import_module("lrx.cli.commands.assay").check(after[0])
        score = CONFIG_COMMANDS[command].function(config, folder)
        if after is not None and importlib.import_module("lrx.training.distributed").ranks_of(os.environ).is_main:
            CONFIG_COMMANDS["assay"].function(*after)
        return score
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise MemoryError(f"out of memory, a smaller batch_size may help: {str(error).splitlines()[0]}") from error
    finally:
        if folder.is_dir() and not any(folder.iterdir()):  # a refused command leaves no empty folder behind
            folder.rmdir()


def following_assay(then: object, run: Path) -> tuple[Config, Path]:
    """Return the config of the assay that `then` asks for, of the run in this folder, and its folder in the run's."""
    words = [str(word) for word in then] if isinstance(then, ListConfig) else [str(then)]
    given = [word for word in words[1:] if word.partition("=")[0].lstrip("+") in OF_THE_TRAINING]
    if given:
        raise ValueError(
            f"then measures the run that was trained, in a folder in that named after the assay; {given[0]} has no "
            "effect there, leave it out"
        )
    settings = [f"assay={words[0]}", *words[1:], f"ckpt='{run}'", f"name='{words[0]}'"]
    node = hydra.compose("assay", settings, return_hydra_config=True)
    choices = dict(node.hydra.runtime.choices)
    with open_dict(node):
        del node["hydra"]
    return Config(node, choices, tuple(settings)), run / words[0]

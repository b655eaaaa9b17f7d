"""The console script `lrx`, and the one door between configs and code: nothing else knows Hydra or OmegaConf.

`lrx <command> key=value ...` takes the command word off, lets Hydra compose configs/<command>.yaml with the overrides,
and calls the function of that name in lrx.commands with a Config. Torch is imported only then, so that help,
completion and --cfg answer at once.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import inspect
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException, InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lrx import __version__, shell

UserError = (ValueError, OSError, HydraException, OmegaConfBaseException, yaml.YAMLError)

# Hydra's way to say that a group has no such file; its choices are listed one a line.
NO_CHOICE = re.compile(
    r"(?:In '[^']*': )?Could not find '(?P<group>[^']*)/(?P<choice>[^'/]*)'\s+"
    r"Available options in '[^']*':\s+(?P<choices>.*?)\s*(?:Config search path|$)",
    re.S,
)
# What Hydra and OmegaConf add below a message.
TRAILER = re.compile(r"\s*(full_key|object_type|reference_type): *\S*|\s*set the environment variable.*", re.S | re.I)


class Config:
    """A composed config, handed to a command: plain values, plain objects, and itself as text."""

    def __init__(self, node: DictConfig, choices: dict[str, str]) -> None:
        self._node, self.choices = node, choices

    @property
    def text(self) -> str:
        """The whole config as yaml, with interpolations as they were written."""
        return OmegaConf.to_yaml(self._node)

    def flat(self, text: str | None = None) -> dict[str, str]:
        """Every dotted key and its value as text, interpolations as written: of this config, or of another's text."""
        node = self._node if text is None else OmegaConf.create(text)
        return {key: str(value) for key, value in _leaves(OmegaConf.to_container(node, resolve=False))}

    def value(self, key: str) -> object:
        """A single value by its dotted key."""
        return OmegaConf.select(self._node, key)

    def target(self, key: str) -> str:
        """The name of the class or function that the node `key` describes."""
        return str(self._node[key]["_target_"]).rpartition(".")[2]

    def build(self, key: str, **given: object) -> object:
        """The object that the node `key` describes; keywords that its target does not take, or its node has, are left out.

        ValueError names the node when a value is of a kind that its target cannot take.
        """
        node = self._node[key]
        bound = hydra.utils.instantiate(node, _partial_=True, _convert_="all")
        accepted = inspect.signature(bound).parameters
        # of ours, **settings says what it takes; that of a foreign class, such as nn.Module's own, promises nothing
        takes_all = any("Unpack" in str(parameter.annotation) for parameter in accepted.values())
        extra = {name: value for name, value in given.items() if (takes_all or name in accepted) and name not in node}
        try:
            return functools.partial(bound, **extra) if node.get("_partial_") else bound(**extra)
        except TypeError as error:
            raise ValueError(f"{key}={self.choices.get(key, '...')}: {error}") from error

    def stored(self, text: str, *, override: str) -> Config:
        """The config that a checkpoint holds, resolved, once its targets are known to be lrx's own or trusted.

        override: the key of a node of this config whose values, where not null, replace those of the stored one.
        """
        node = OmegaConf.create(text)
        for key, value in self._node[override].items():
            if value is not None:
                OmegaConf.update(node, f"{override}.{key}", value, force_add=True)
        OmegaConf.resolve(node)  # an interpolation can make a whole node, so what is checked is what is built
        self.check_targets(node)
        return Config(cast(DictConfig, node), {})

    def check_targets(self, node: object = None) -> None:
        """ValueError for a `_target_` of a node (None: of this config) whose code nobody vouched for.

        The targets that lrx's own yaml files name are known. Below `autoencoder`, so is what lies in a package or a
        module that the key `trust` of this config lists; it may also be a file of the current folder.
        """
        trust = OmegaConf.select(self._node, "trust") or []
        if isinstance(trust, str) or not all(isinstance(name, str) and name for name in trust):
            raise ValueError(f"trust must list packages whose code may be run, as in trust=[mypackage], not {trust!r}")
        own = _own_targets()
        for key, value in _leaves(OmegaConf.to_container(cast(DictConfig, self._node if node is None else node))):
            if key.rpartition(".")[2] != "_target_" or value in own:
                continue
            mine = key.startswith("autoencoder.")
            if not (mine and any(str(value).startswith(f"{name}.") for name in trust)):
                whose = "this config" if node is None else "the checkpoint's config"
                way = f"; if you know that code, add trust=[{str(value).partition('.')[0]}]" if mine else ""
                raise ValueError(f"{whose} has {key}={value}, which no config of lrx names; it is not run{way}")
        if trust and os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())  # after everything installed, so that it shadows nothing


class SweepError(ValueError):
    """A job of a sweep was refused; its own line has been printed, and the other jobs went on."""


def run(command: str, node: DictConfig) -> None:
    """What Hydra calls: the command on its config, in the folder that Hydra made."""
    state = HydraConfig.get()
    try:
        folder = Path(state.runtime.output_dir)
        here = Path.cwd()
        _run(command, node, folder.relative_to(here) if here in folder.parents else folder, dict(state.runtime.choices))
    except UserError as error:
        if state.mode != RunMode.MULTIRUN:
            raise
        if os.environ.get("LRX_DEBUG"):
            traceback.print_exc()
        print(f"lrx: job {state.job.num} ({state.job.override_dirname}): {message(error)}", file=sys.stderr)
        raise SweepError("jobs of this sweep were refused, see above") from error


def _run(command: str, node: DictConfig, folder: Path, choices: dict[str, str]) -> None:
    missing = sorted(OmegaConf.missing_keys(node))
    if missing:
        raise ValueError(f"lrx {command} needs {', '.join(f'{key}=...' for key in missing)}")
    commands = importlib.import_module("lrx.commands")
    try:
        name = str(node.get("name", command))
        if not name.strip() or "=" in name or name.startswith("/") or ".." in Path(name).parts:
            raise ValueError(f"name={name!r} must name a folder below outputs, without '=' and '..'")
        commands.COMMANDS[command](Config(node, choices), folder)
    finally:
        if folder.is_dir() and not any(folder.iterdir()):  # a refused command leaves no empty folder behind
            folder.rmdir()


def train_task(node: DictConfig) -> None:
    """Hydra's task of `lrx train`."""
    run("train", node)


def assay_task(node: DictConfig) -> None:
    """Hydra's task of `lrx assay`."""
    run("assay", node)


def import_task(node: DictConfig) -> None:
    """Hydra's task of `lrx import`."""
    run("import", node)


def prepare_task(node: DictConfig) -> None:
    """Hydra's task of `lrx prepare`."""
    run("prepare", node)


TASKS: dict[str, Callable[[DictConfig], None]] = {
    "train": train_task,
    "assay": assay_task,
    "import": import_task,
    "prepare": prepare_task,
}


def _returned(job: JobReturn) -> object:
    if job.status == JobStatus.COMPLETED:
        return job._return_value
    raise cast(BaseException, job._return_value)


# Hydra prints "Error executing job with overrides: [...]" before it raises; main() has one line of its own for that.
JobReturn.return_value = property(_returned, JobReturn.return_value.fset)  # type: ignore


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 when it did its work, 2 with one line when a person can mend it, 1 when lrx is at fault."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["--version"]:
        print(f"lrx {__version__}")
        return 0
    if not words or words[0] in ("-h", "--help", "help"):
        print(shell.usage())
        return 0 if words else 2
    command, rest = words[0], words[1:]
    if command == "completion":
        if rest != ["bash"]:
            return fail(
                ValueError(f"lrx completion knows bash, not {' '.join(rest) or 'nothing'}: lrx completion bash")
            )
        print(shell.completion())
        return 0
    if command not in TASKS:
        return fail(ValueError(f"no command {command!r}; the commands are {', '.join(shell.COMMANDS)}"))
    if sys.version_info >= (3, 14) and hasattr(argparse.ArgumentParser, "_check_help"):
        # Hydra 1.3 gives argparse a lazy help text, which Python 3.14 checks too early
        argparse.ArgumentParser._check_help = lambda self, action: None  # type: ignore[attr-defined]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to us, not to Hydra's printer
    warnings.formatwarning = lambda text, *where: f"lrx: warning: {text}\n"  # one line, without a line of our code
    sys.argv = ["lrx", *shell.flags_first(rest)]
    try:
        hydra.main(version_base="1.3", config_path="pkg://lrx.configs", config_name=command)(TASKS[command])()
    except KeyboardInterrupt:
        print("lrx: stopped; the same command with the same name= goes on", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except UserError as error:
        if os.environ.get("LRX_DEBUG"):
            traceback.print_exc()
        return fail(error)
    return 0


def fail(error: BaseException) -> int:
    """Print one line that says what is wrong."""
    print(f"lrx: {message(error)}", file=sys.stderr)
    return 2


def message(error: BaseException) -> str:
    """The line a person needs of an error: the cause of a failed build, Hydra's choices without its layout."""
    while isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    text = str(error)
    found = NO_CHOICE.match(text)
    if found is not None:
        return f"no {found['group']}={found['choice']}; the choices are {', '.join(found['choices'].split())}"
    return " ".join(TRAILER.sub("", text).split()) or type(error).__name__


def _leaves(value: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every value that is no list or mapping, with its dotted key."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _own_targets() -> set[object]:
    """Every `_target_` that lrx's own yaml files name. A checkpoint may come from anywhere; it may name these only."""
    targets: set[object] = set()
    for file in Path(importlib.import_module("lrx.configs").__path__[0]).rglob("*.yaml"):
        leaves = _leaves(OmegaConf.to_container(OmegaConf.load(file)))
        targets |= {value for key, value in leaves if key.rpartition(".")[2] == "_target_"}
    return targets


if __name__ == "__main__":
    sys.exit(main())

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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException, InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lrx import __version__

COMMANDS = {
    "train": "fit an autoencoder, or go on with a run that was interrupted",
    "assay": "intervene on the latents of an autoencoder and measure what they cause",
    "import": "turn a published state dict into a checkpoint",
    "completion": "print shell completion: eval \"$(lrx completion bash)\"",
}

# Hydra 1.3 refuses overrides that come after a flag, so flags go first; these ones take the next word with them.
FLAGS_WITH_VALUE = {"--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd", "--package", "-p"}
FLAGS_WITH_VALUE |= {"--cfg", "-c", "--experimental-rerun"}

# A checkpoint's config may come from anywhere: what it names must be defined in these rooms of lrx, nowhere else.
TRUSTED = re.compile(r"(?P<module>lrx\.(?:data|models|assays)(?:\.\w+)+|lrx\.training)\.(?P<name>\w+)")

UserError = (ValueError, OSError, HydraException, OmegaConfBaseException)


class Config:
    """A composed config, handed to a command: plain values, plain objects, and itself as text."""

    def __init__(self, node: DictConfig, choices: dict[str, str]) -> None:
        self._node, self.choices = node, choices

    @property
    def text(self) -> str:
        """The whole config as yaml, with interpolations as they were written."""
        return OmegaConf.to_yaml(self._node)

    def flat(self, text: str | None = None) -> dict[str, str]:
        """Every dotted key and its value as text, with interpolations as they were written: of this config or of `text`."""
        node = self._node if text is None else OmegaConf.create(text)
        return dict(_flatten(OmegaConf.to_container(node, resolve=False)))

    def value(self, key: str) -> object:
        """A single value by its dotted key."""
        return OmegaConf.select(self._node, key)

    def target(self, key: str) -> str:
        """The name of the class or function that the node `key` describes."""
        return str(self._node[key]["_target_"]).rpartition(".")[2]

    def build(self, key: str, **given: object) -> object:
        """The object that the node `key` describes. Keywords that its target does not take are left out."""
        node = self._node[key]
        bound = hydra.utils.instantiate(node, _partial_=True, _convert_="all")
        accepted = _keywords(bound)
        extra = {name: value for name, value in given.items() if accepted is None or name in accepted}
        return functools.partial(bound, **extra) if node.get("_partial_") else bound(**extra)

    def stored(self, text: str, *, override: str) -> Config:
        """The config that a checkpoint holds, once its targets are known to be lrx's own.

        override: the key of a node of this config whose values, where not null, replace those of the stored one.
        """
        node = OmegaConf.create(text)
        for key, value in self.flat(text).items():
            if key.rpartition(".")[2] == "_target_":
                _check_target(key, value)
        for key, value in self._node[override].items():
            if value is not None:
                OmegaConf.update(node, f"{override}.{key}", value, force_add=True)
        return Config(cast(DictConfig, node), {})


class SweepError(ValueError):
    """A job of a sweep was refused; its own line has been printed, and the other jobs went on."""


def run(command: str, node: DictConfig) -> None:
    """What Hydra calls: the command on its config, in the folder that Hydra made."""
    state = HydraConfig.get()
    try:
        _run(command, node, Path(state.runtime.output_dir), dict(state.runtime.choices))
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


TASKS: dict[str, Callable[[DictConfig], None]] = {"train": train_task, "assay": assay_task, "import": import_task}


def _returned(job: JobReturn) -> object:
    if job.status == JobStatus.COMPLETED:
        return job._return_value
    raise cast(BaseException, job._return_value)


# Hydra prints "Error executing job with overrides: [...]" before it raises; main() has one line of its own for that.
JobReturn.return_value = property(_returned, JobReturn.return_value.fset)


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 when it did its work, 2 with one line when a person can mend it, 1 when lrx is at fault."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["--version"]:
        print(f"lrx {__version__}")
        return 0
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if words else 2
    command, rest = words[0], words[1:]
    if command == "completion":
        return completion(rest)
    if command not in TASKS:
        return fail(ValueError(f"no command {command!r}; the commands are {', '.join(COMMANDS)}"))
    if sys.version_info >= (3, 14) and hasattr(argparse.ArgumentParser, "_check_help"):
        argparse.ArgumentParser._check_help = lambda self, action: None  # type: ignore[attr-defined]  # Hydra 1.3's lazy help
    debug, os.environ["HYDRA_FULL_ERROR"] = os.environ.get("LRX_DEBUG"), "1"  # errors come to us, not to Hydra's printer
    sys.argv = ["lrx", *flags_first(rest)]
    try:
        hydra.main(version_base="1.3", config_path="pkg://lrx.configs", config_name=command)(TASKS[command])()
    except KeyboardInterrupt:
        print("lrx: stopped; the same command with the same name= goes on", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except UserError as error:
        if debug:
            traceback.print_exc()
        return fail(error)
    return 0


def fail(error: BaseException) -> int:
    """Print one line that says what is wrong."""
    print(f"lrx: {message(error)}", file=sys.stderr)
    return 2


def message(error: BaseException) -> str:
    """The line a person needs of an error: the innermost cause of a failed build, Hydra's choices without its layout."""
    while isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    text = str(error)
    found = re.match(r"In '[^']*': Could not find '([\w-]+(?:/[\w-]+)*)/([^']*)'\s+Available options in '[^']*':\s+(.*?)\s+Config", text, re.S)
    if found is None:
        found = re.match(r"Could not find '([^']*)/([^'/]*)'\s+Available options in '[^']*':\s+(.*?)\s+(?:Config|$)", text, re.S)
    if found is not None:
        group, value, options = found.groups()
        return f"no {group}={value}; the choices are {', '.join(options.split())}"
    text = re.sub(r"\s*(full_key|object_type|reference_type): *\S*|\s*set the environment variable.*", "", text, flags=re.S | re.I) or type(error).__name__
    return " ".join(text.split())


def usage() -> str:
    """The text of `lrx --help`."""
    lines = [f"  {name:<12}{what}" for name, what in COMMANDS.items()]
    return "\n".join(
        [
            "usage: lrx <command> [key=value ...]",
            "",
            "A laboratory for the latent spaces of autoencoders.",
            "",
            *lines,
            "",
            "  lrx train dataset=dsprites model=betavae name=my-run",
            "  lrx assay ckpt=outputs/train/my-run assay=response_matrix",
            "",
            "lrx <command> --help lists every key; LRX_DEBUG=1 shows the traceback of an error;",
            "LRX_DATA says where data sets are kept (otherwise ./data).",
        ]
    )


def flags_first(words: list[str]) -> list[str]:
    """Flags, with the values they take, before overrides.

    >>> flags_first(["seed=1", "-m", "--cfg", "job"])
    ['-m', '--cfg', 'job', 'seed=1']
    """
    flags, overrides, rest = [], [], iter(words)
    for word in rest:
        if word.startswith("-"):
            flags.append(word)
            flags += [next(rest, "")] if word in FLAGS_WITH_VALUE else []
        else:
            overrides.append(word)
    return flags + overrides


def completion(words: list[str]) -> int:
    """Completion of the command word here, of everything after it by Hydra's own completer."""
    if words != ["bash"]:
        return fail(ValueError(f"lrx completion knows bash, not {' '.join(words) or 'nothing'}: lrx completion bash"))
    print(BASH_COMPLETION % " ".join(COMMANDS))
    return 0


BASH_COMPLETION = r"""_lrx() {
  local cur=${COMP_WORDS[COMP_CWORD]}
  if (( COMP_CWORD == 1 )); then COMPREPLY=( $(compgen -W "%s" -- "$cur") ); return; fi
  local sub=${COMP_WORDS[1]}
  local line="lrx ${COMP_LINE#*"$sub" }"
  local cut=$(( ${#COMP_LINE} - ${#line} ))
  COMPREPLY=( $( COMP_POINT=$(( COMP_POINT - cut )) COMP_LINE="$line" lrx "$sub" -sc query=bash 2>/dev/null ) )
  [[ ${COMPREPLY[0]} == *= || ${COMPREPLY[0]} == *. || ${COMPREPLY[0]} == */ ]] && compopt -o nospace 2>/dev/null
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}; COMP_WORDBREAKS=$COMP_WORDBREAKS:
complete -o default -F _lrx lrx"""


def _flatten(value: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, str(value)


def _keywords(target: Callable[..., object]) -> set[str] | None:
    parameters = inspect.signature(target).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return {parameter.name for parameter in parameters}


def _check_target(key: str, target: str) -> None:
    found = TRUSTED.fullmatch(target)
    if found is not None:
        try:
            defined = getattr(importlib.import_module(found["module"]), found["name"], None)
        except ImportError:
            defined = None
        if getattr(defined, "__module__", None) == found["module"]:
            return
    raise ValueError(f"the checkpoint's config has {key}={target}, which is no part of lrx; it is not run")


if __name__ == "__main__":
    sys.exit(main())

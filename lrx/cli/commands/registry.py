"""Table of the commands, from which `lrx --help`, dispatch and bash completion are made.

To add one, add its line here and a file of this folder with the function `<name>_command`. The file is imported when
the command runs: most need torch or h5py, and the table must answer at once.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import keyword
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml

from lrx.cli.targets import LOADER, config_folder
from lrx.core.paths import expand_user

if TYPE_CHECKING:
    from lrx.cli.config import Config


# Hydra's flags that print and run nothing
PRINTING_FLAGS = {"-h", "--help", "--hydra-help", "-c", "--cfg", "-i", "--info", "-sc", "--shell-completion"}


def _module(name: str) -> object:
    return importlib.import_module(f"{__package__}.{name}_" if keyword.iskeyword(name) else f"{__package__}.{name}")


@dataclass(frozen=True)
class ConfigCommand:
    """Command with keys: Hydra composes them from configs/<name>.yaml, whose help header says what the command does."""

    name: str

    @property
    def function(self) -> Callable[[Config, Path], float | None]:
        """Function of the config and the run folder; returns the score that a search lowers, if there is one."""
        return cast(Callable[["Config", Path], float | None], getattr(_module(self.name), f"{self.name}_command"))

    @property
    def summary(self) -> str:
        """Line of `lrx --help`."""
        header = str(_yaml(f"{self.name}.yaml")["hydra"]["help"]["header"])
        return header.removeprefix(f"lrx {self.name}: ").removesuffix(".")

    @property
    def keys(self) -> set[str]:
        """Keys at the top of the config: those of its yaml, and its groups."""
        return set(_yaml(f"{self.name}.yaml")) | {group for group, _ in self._groups()}

    def only_prints(self, words: Sequence[str]) -> bool:
        """Return whether these words ask for text alone, such as help or the config."""
        return bool(PRINTING_FLAGS & set(words))

    def dotted_key(self, name: str) -> str:
        """Return the key of the config or of its default groups that ends in this name; else the name itself."""
        if name not in _yaml(f"{self.name}.yaml"):
            for group, choice in self._groups():
                file = f"{group}/{choice}.yaml"
                if (config_folder() / file).is_file() and name in _yaml(file):
                    return f"{group}.{name}"
        return name

    def _groups(self) -> list[tuple[str, str]]:
        """Return the groups of the defaults list with their choices."""
        entries = [entry for entry in _yaml(f"{self.name}.yaml")["defaults"] if isinstance(entry, dict)]
        return [(str(group).split()[-1], str(choice)) for entry in entries for group, choice in entry.items()]


@dataclass(frozen=True)
class PlainCommand:
    """Command without a config.

    arguments: as in its usage, such as `FOLDER [--once]`: a FOLDER, a PATH or a fixed word, and at most one option.
    They are the arguments of its function; the rest of its help is the docstring of its file.
    """

    name: str
    summary: str
    arguments: str

    @property
    def option(self) -> str:
        """Option as typed, up to its value: `--once`, `out=`, or nothing."""
        _, _, option = self.arguments.partition(" [")
        return option.partition("=")[0] + "=" if "=" in option else option.removesuffix("]")

    def only_prints(self, words: Sequence[str]) -> bool:
        """Return whether text on standard output is all that the command makes of these words."""
        return self.option != "out=" or bool(PRINTING_FLAGS & set(words))

    def run(self, words: list[str]) -> None:
        """Call the function with what the words say, or print the help. ValueError for words that make no sense."""
        module = _module(self.name)
        usage = f"usage: lrx {self.name} {self.arguments}"
        if {"-h", "--help"} & set(words):
            print(f"{usage}\n\n{inspect.getdoc(module)}")
            return
        kind, option = self.arguments.split()[0], self.option
        options = [word for word in words if option and (word == option or ("=" in option and word.startswith(option)))]
        places = [word for word in words if word not in options]
        flags = [word for word in places if word.startswith("-")]
        wrong = flags or len(places) != 1 or len(options) > 1 or (options == [option] and "=" in option)
        if wrong or (kind.islower() and places != [kind]):
            what = f"one {kind.lower()}" if kind.isupper() else kind
            example = "such as outputs/train/my-sweep" if kind.isupper() else "and no other word"
            given = f"not {' '.join(flags or words)}" if words else example
            raise ValueError(f"lrx {self.name} takes {what}, {given}; {usage}")
        keywords: dict[str, object] = {}
        for word in options:
            name, has_value, value = word.lstrip("-").partition("=")
            keywords[name] = expand_user(value) if has_value else True
        function = getattr(module, f"{self.name}_command")
        function(*([expand_user(places[0])] if kind.isupper() else []), **keywords)


@functools.cache
def _yaml(file: str) -> dict[str, Any]:
    """Return the content of one of lrx's yaml files."""
    return yaml.load((config_folder() / file).read_text(encoding="utf-8"), Loader=LOADER) or {}


CONFIG_COMMANDS = {name: ConfigCommand(name) for name in ("train", "assay", "import", "prepare")}
PLAIN_COMMANDS = {
    command.name: command
    for command in (
        PlainCommand("collect", "the scores of all runs of a folder as HDF5 and as a table", "FOLDER [out=PATH.h5]"),
        PlainCommand("status", "how far the runs of a folder are, and why some failed", "FOLDER [--once]"),
        PlainCommand("report", "one HTML page of a run or a sweep: pictures, scores, meaning", "PATH [out=FILE.html]"),
        PlainCommand("show", "what a results file holds, as tables on the terminal", "PATH"),
        PlainCommand("completion", 'print shell completion: eval "$(lrx completion bash)"', "bash"),
    )
}
COMMANDS: dict[str, ConfigCommand | PlainCommand] = {**CONFIG_COMMANDS, **PLAIN_COMMANDS}

"""Table of the commands, from which `lrx --help`, dispatch and bash completion are made.

To add one, add its line here and a file of this folder with the function `<name>_command`. The file is imported when
the command runs: most need torch or h5py, and the table must answer at once.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import keyword
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml

from lrx.cli.targets import LOADER, config_folder
from lrx.core.paths import expand_user
from lrx.core.text import did_you_mean, join_names

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
        return set(_yaml(f"{self.name}.yaml")) | self.groups

    @property
    def groups(self) -> set[str]:
        """Groups of which one choice each is taken."""
        return {group for group, _ in self._groups()}

    def only_prints(self, words: Sequence[str]) -> bool:
        """Return whether these words ask for text alone, such as help or the config."""
        return bool(PRINTING_FLAGS & set(words))

    def dotted_key(self, name: str) -> str:
        """Return the key of the config or of its default groups that ends in this name, or in the nearest one; else the
        name itself."""
        by_name: dict[str, str] = {}
        for group, choice in self._groups():
            file = f"{group}/{choice}.yaml"
            names = _yaml(file) if (config_folder() / file).is_file() else {}
            by_name |= {key: f"{group}.{key}" for key in names if key not in by_name}
        by_name |= {key: key for key in self.keys}
        near = difflib.get_close_matches(name, by_name, n=1)
        return by_name.get(name) or (by_name[near[0]] if near else name)

    def _groups(self) -> list[tuple[str, str]]:
        """Return the groups of the defaults list with their choices."""
        entries = [entry for entry in _yaml(f"{self.name}.yaml")["defaults"] if isinstance(entry, dict)]
        return [(str(group).split()[-1], str(choice)) for entry in entries for group, choice in entry.items()]


@dataclass(frozen=True)
class PlainCommand:
    """Command without a config.

    arguments: as in its usage, such as `PATH ... [--once] [format=pdf|svg] [out=FILE]`: a FOLDER or a PATH (with dots:
    one or more), or one of some words; then options, each in brackets (`--forget=STATE` may be typed
    `--forget STATE`). The function of the command takes the paths, or the word, as positional arguments and the options
    as keywords: a flag is True, `out` a path, others are text. The rest of its help is the docstring of its file.
    """

    name: str
    summary: str
    arguments: str

    @property
    def options(self) -> dict[str, list[str]]:
        """Options as typed, up to their value, such as `--once` and `out=`, with the values that are named."""
        parts = [part.partition("=") for part in re.findall(r"\[(.*?)\]", self.arguments)]
        return {name + has_value: values.split("|") if "|" in values else [] for name, has_value, values in parts}

    def only_prints(self, words: Sequence[str]) -> bool:
        """Return whether text on standard output is all that the command makes of these words."""
        return "out=" not in self.options or bool(PRINTING_FLAGS & set(words))

    def run(self, words: list[str]) -> None:
        """Call the function with what the words say, or print the help. ValueError for words that make no sense."""
        module = _module(self.name)
        if {"-h", "--help"} & set(words):
            print(f"{self._usage}\n\n{inspect.getdoc(module)}")
            return
        places, given = self._sorted(words)
        kind, *rest = self.arguments.split()
        several = rest[:1] == ["..."]
        if not places or (len(places) > 1 and not several) or (kind.islower() and places[0] not in kind.split("|")):
            what = f"one {kind.lower()}{' or more' if several else ''}" if kind.isupper() else kind.replace("|", " or ")
            example = "such as outputs/train/my-sweep" if kind.isupper() else "and no other word"
            given_words = f"not {' '.join(words)}" if words else example
            raise ValueError(f"lrx {self.name} takes {what}, {given_words}; {self._usage}")
        keywords: dict[str, object] = {
            option.strip("-="): value if option.endswith("=") else True for option, value in given.items()
        }
        if "out" in keywords:
            keywords["out"] = expand_user(given["out="])
        function = getattr(module, f"{self.name}_command")
        function(*([expand_user(place) for place in places] if kind.isupper() else places), **keywords)

    @property
    def _usage(self) -> str:
        return f"usage: lrx {self.name} {self.arguments}"

    def _sorted(self, words: list[str]) -> tuple[list[str], dict[str, str]]:
        """Return the places among words, and the options with their values. ValueError for what is neither."""
        places, given, options, rest = [], dict[str, str](), self.options, iter(words)
        for word in rest:
            name, has_value, value = word.partition("=")
            if name.startswith("--") and not has_value and f"{name}=" in options:
                has_value, value = "=", next(rest, "")
            option = name + has_value
            if option in options:
                if option in given or (has_value and not value):
                    problem = "twice" if option in given else "without a value"
                    raise ValueError(f"lrx {self.name}: {option} is given {problem}; {self._usage}")
                if options[option] and value not in options[option]:
                    hint = did_you_mean(value, options[option])
                    raise ValueError(f"lrx {self.name}: {option}{value} must be {join_names(options[option])}{hint}")
                given[option] = value
            elif name.startswith("-") or (has_value and name.isidentifier() and not Path(word).exists()):
                raise ValueError(
                    f"lrx {self.name} has no option {option}{did_you_mean(option, options)}; {self._usage}"
                )
            else:
                places.append(word)
        return places, given


@functools.cache
def _yaml(file: str) -> dict[str, Any]:
    """Return the content of one of lrx's yaml files."""
    return yaml.load((config_folder() / file).read_text(encoding="utf-8"), Loader=LOADER) or {}


CONFIG_COMMANDS = {name: ConfigCommand(name) for name in ("train", "assay", "explore", "import", "prepare")}
PLAIN_COMMANDS = {
    command.name: command
    for command in (
        PlainCommand(
            "collect",
            "the scores of all runs of a folder as HDF5 and as a table",
            "FOLDER [table=latex|markdown] [scores=NAME,...] [out=PATH.h5]",
        ),
        PlainCommand(
            "status",
            "how far the runs of a folder are, and why some failed",
            "FOLDER [--once] [--forget=failed|missing|deleted]",
        ),
        PlainCommand(
            "report", "one HTML page of a run or a sweep: pictures, scores, meaning", "PATH ... [out=FILE.html]"
        ),
        PlainCommand(
            "figure",
            "pictures of results for print, as PDF, SVG or PNG of exact width",
            "PATH ... [assay=NAME] [format=pdf|svg|png] [width=INCHES] [out=PATH]",
        ),
        PlainCommand("show", "what a results file holds, as tables on the terminal", "PATH [--all]"),
        PlainCommand("completion", 'print shell completion: eval "$(lrx completion bash)"', "bash|zsh|fish"),
    )
}
COMMANDS: dict[str, ConfigCommand | PlainCommand] = {**CONFIG_COMMANDS, **PLAIN_COMMANDS}

"""Commands that made runs and results, as run folders recorded them, ready to be pasted into a shell."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterable

from lrx.runs.catalog import Run
from lrx.runs.run_files import read_status

Command = tuple[str, tuple[str, ...]]  # a command and its overrides
QUOTED = re.compile(r"""(['"])([A-Za-z_/][\w./-]*)\1""")
VALUES = {"true", "false", "null", "nan", "inf"}  # words that are no text without quotes


def commands_of_run(run: Run, *, started: bool) -> list[Command]:
    """Return the commands that made a run and its results, oldest first, as far as its folders record them.

    started: include assays in the folder of the training, which it started itself (then=...).
    """
    measured = [file.parent for file in run.result_files if started or run.trained not in file.parent.parents]
    folders = [run.trained, *measured, run.folder]
    known = {part.folder: part.status for part in (run, *run.assays)}
    states = [known.get(folder) or read_status(folder, folder)[0] for folder in folders if folder is not None]
    return list(dict.fromkeys((state.command, state.overrides) for state in states if state.command))


def shell_lines(commands: Iterable[Command]) -> list[str]:
    """Write each command as one line for a shell."""
    return [f"lrx {command} {shlex.join(map(unquoted, overrides))}".rstrip() for command, overrides in commands]


def sweep_lines(commands: Iterable[Command]) -> list[str]:
    """Write the commands of many runs as lines; those that are every choice among their values become one with -m.

    >>> sweep_lines([("train", ("model=ae", "seed=0")), ("train", ("model=ae", "seed=1"))])
    ['lrx train -m model=ae seed=0,1']
    """
    by_keys: dict[tuple[str, ...], dict[Command, None]] = {}
    for command, overrides in commands:
        keys = tuple(override.partition("=")[0] for override in overrides)
        by_keys.setdefault((command, *keys), {})[command, overrides] = None
    lines: list[str] = []
    for (command, *_), group in by_keys.items():
        choices = {tuple(map(unquoted, overrides)) for _, overrides in group}
        values = [list(dict.fromkeys(map(unquoted, column))) for column in zip(*(o for _, o in group), strict=True)]
        if len(group) > 1 and set(itertools.islice(itertools.product(*values), len(group) + 1)) == choices:
            swept = [",".join([first, *(one.partition("=")[2] for one in rest)]) for first, *rest in values]
            lines.append(f"lrx {command} -m {shlex.join(swept)}")
        else:
            lines += shell_lines(group)
    return lines


def unquoted(override: str) -> str:
    """Remove the quotes that an override does not need.

    >>> unquoted("ckpt='outputs/train/one'"), unquoted("name='1'")
    ('ckpt=outputs/train/one', "name='1'")
    """
    key, _, value = override.partition("=")
    match = QUOTED.fullmatch(value)
    return f"{key}={match[2]}" if match and match[2].lower() not in VALUES else override

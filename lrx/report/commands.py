"""Commands that made runs and results, as run folders recorded them, ready to be pasted into a shell."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from lrx.runs import plan
from lrx.runs.catalog import Run
from lrx.runs.run_files import read_status
from lrx.runs.status import Status

Command = tuple[str, tuple[str, ...]]  # a command and its overrides
SWEEP = " -m"  # after a command, of a job of a sweep
QUOTED = re.compile(r"""(['"])([A-Za-z_/][\w./-]*)\1""")
VALUES = {"true", "false", "null", "nan", "inf"}  # words that are no text without quotes


def commands_of_run(run: Run, *, started: bool) -> list[Command]:
    """Return the commands that made a run and its results, oldest first, as far as its folders record them.

    started: include assays in the folder of the training, which it started itself (then=...).
    """
    measured = [file.parent for file in run.result_files if started or run.trained not in file.parent.parents]
    folders = [run.trained, *measured, run.folder]
    known = {part.folder: part.status for part in (run, *run.assays)}
    states = {folder: known.get(folder) or read_status(folder, folder)[0] for folder in folders if folder is not None}
    return list(dict.fromkeys(_command(folder, state) for folder, state in states.items() if state.command))


def command_again(run: Run, part: Run) -> Command:
    """Return the command that goes on with a run in its folder, or with an assay in it, which then=... starts."""
    if part is not run and run.status.command != "train":
        run = part
    command, overrides = _command(run.folder, run.status)
    if part is not run:
        names = [word.removeprefix("assay=") for word in part.status.overrides if word.startswith("assay=")]
        others = [word for word in part.status.overrides if not word.startswith(("assay=", "ckpt=", "name="))]
        words = [*names[:1], *(f'"{word}"' if "'" in word else f"'{word}'" for word in others)]
        then = f"then=[{','.join(words)}]" if others else f"then={''.join(words)}"
        overrides = (*(word for word in overrides if not word.startswith("then=")), then)
    _, known, place = run.folder.resolve().as_posix().rpartition(f"/outputs/{run.status.command}/")
    name = place.rpartition("/")[0] if command.endswith(SWEEP) else place
    if known and name != _typed_name(overrides):  # the time was its name, or it was moved
        overrides = (*(word for word in overrides if not word.startswith("name=")), f"name={name}")
    return command, overrides


def _command(folder: Path, state: Status) -> Command:
    """Return the command that a folder records, with -m for a job of a sweep, whose name is that of the sweep."""
    name = _typed_name(state.overrides)
    in_sweep = (folder.parent / plan.FILENAME).is_file() or (
        bool(name) and folder.parent.as_posix().endswith(f"/{name}") and not folder.as_posix().endswith(f"/{name}")
    )
    is_part = any(word.startswith("shard=") for word in state.overrides)
    return f"{state.command}{SWEEP}" if in_sweep and not is_part else state.command, state.overrides


def _typed_name(overrides: Iterable[str]) -> str:
    return next((word.removeprefix("name=").strip("'\"") for word in overrides if word.startswith("name=")), "")


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
            lines.append(f"lrx {command.removesuffix(SWEEP)}{SWEEP} {shlex.join(swept)}")
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

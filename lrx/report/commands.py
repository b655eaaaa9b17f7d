"""The commands that made runs and results, as a person types them: what run folders recorded, ready to be pasted."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterable

from lrx.report.measured_runs import Run, status_of

Said = tuple[str, tuple[str, ...]]  # a command and its overrides
QUOTED = re.compile(r"""(['"])([A-Za-z_/][\w./-]*)\1""")
VALUES = {"true", "false", "null", "nan", "inf"}  # words that are no text without quotes


def of_run(run: Run, *, started: bool) -> list[Said]:
    """The commands that made a run and its results, oldest first; those that its folders do not tell are not there.

    started: whether assays that the training started itself (then=...), which lie in its folder, are told too.
    """
    measured = [file.parent for file in run.results if started or run.place.trained not in file.parent.parents]
    folders = [run.place.trained, *measured, run.place.path]
    said = [status_of(folder) for folder in folders if folder is not None]
    return list(dict.fromkeys((one.command, one.overrides) for one in said if one is not None and one.command))


def typed(said: Iterable[Said]) -> list[str]:
    """Each command as one line for a shell."""
    return [f"lrx {command} {shlex.join(map(unquoted, overrides))}".rstrip() for command, overrides in said]


def of_sweep(said: Iterable[Said]) -> list[str]:
    """The commands of many runs: those that are every choice among the values of their keys become one with -m.

    >>> of_sweep([("train", ("model=ae", "seed=0")), ("train", ("model=ae", "seed=1"))])
    ['lrx train -m model=ae seed=0,1']
    """
    together: dict[tuple[str, ...], dict[Said, None]] = {}
    for command, overrides in said:
        keys = tuple(override.partition("=")[0] for override in overrides)
        together.setdefault((command, *keys), {})[command, overrides] = None
    lines: list[str] = []
    for (command, *_), some in together.items():
        choices = {tuple(map(unquoted, overrides)) for _, overrides in some}
        values = [list(dict.fromkeys(map(unquoted, column))) for column in zip(*(o for _, o in some), strict=True)]
        if len(some) > 1 and set(itertools.islice(itertools.product(*values), len(some) + 1)) == choices:
            swept = [",".join([first, *(one.partition("=")[2] for one in rest)]) for first, *rest in values]
            lines.append(f"lrx {command} -m {shlex.join(swept)}")
        else:
            lines += typed(some)
    return lines


def unquoted(override: str) -> str:
    """An override without the quotes that it does not need.

    >>> unquoted("ckpt='outputs/train/one'"), unquoted("name='1'")
    ('ckpt=outputs/train/one', "name='1'")
    """
    key, _, value = override.partition("=")
    found = QUOTED.fullmatch(value)
    return f"{key}={found[2]}" if found and found[2].lower() not in VALUES else override

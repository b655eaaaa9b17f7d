"""What a person reads of an error, and what becomes of a sweep when one of its jobs is refused.

A refused job gets a line, and the others finish.

Hydra gives up a sweep at the first result that is an error. Here a refused job hands on its line instead, which may
come out of another process or from another machine.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from typing import cast

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import InstantiationException, OverrideParseException

from lrx.cli.console import usage
from lrx.core.text import printable

# Hydra's way to say that a group has no such file; its choices are listed one a line.
NO_CHOICE = re.compile(
    r"(?:In '[^']*': )?Could not find '(?P<group>[^']*)/(?P<choice>[^'/]*)'\s+"
    r"Available options in '[^']*':\s+(?P<choices>.*?)\s*(?:Config search path|$)",
    re.S,
)
# What an extra of pyproject.toml adds to the choices.
EXTRAS = {"hydra/launcher=joblib": "sweep", "hydra/launcher=submitit_local": "sweep", "hydra/sweeper=optuna": "optuna"}
# What Hydra and OmegaConf add below a message.
TRAILER = re.compile(r"\s*(full_key|object_type|reference_type): *\S*|\s*set the environment variable.*", re.S | re.I)


def message(error: BaseException) -> str:
    """The line a person needs of an error: the cause of a failed build, Hydra's choices without its layout."""
    while isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    text = str(error)
    found = NO_CHOICE.match(text)
    if found is not None:
        extra = EXTRAS.get(f"{found['group']}={found['choice']}")
        more = f"; it comes with pip install -e '.[{extra}]' in the checkout of lrx" if extra else ""
        return f"no {found['group']}={found['choice']}; the choices are {', '.join(found['choices'].split())}{more}"
    unknown = re.match(r"Could not override '([^']*)'", text)
    if unknown is not None:
        return f"there is no key {unknown[1]}; --help lists the keys"
    if isinstance(error, OverrideParseException) or re.match(r"Ambiguous value|LexerNoViableAlt", text):
        return _unread(error, text)
    return " ".join(TRAILER.sub("", text).split()) or type(error).__name__


def _unread(error: BaseException, text: str) -> str:
    """Hydra's grammar took offence at a word: which one, and how its value is quoted for the shell and for Hydra."""
    found = re.search(r"argument '(?P<quoted>.*)'\n|Exception: (?P<bare>.*)\n", text)
    word = error.override if isinstance(error, OverrideParseException) else found and (found["quoted"] or found["bare"])
    key, _, value = str(word).partition("=")
    mark = "'" if '"' in value else '"'
    way = f"quote what has spaces, commas, brackets or quotes twice: {shlex.quote(f'{key}={mark}{value}{mark}')}"
    return f"{word} cannot be read; {way}" + (", or sweep over its parts with -m" if "," in value else "")


class SweepError(ValueError):
    """A job of a sweep failed: its line, and whether that went to a log rather than to the person who waits."""

    def __init__(self, line: str, logged: bool) -> None:
        super().__init__(line, logged)
        self.line, self.logged = line, logged

    def __str__(self) -> str:
        return self.line


def say(error: BaseException) -> None:
    """Print one line that says what is wrong, in one piece: other processes may print as well."""
    sys.stderr.write(usage.fitted(f"lrx: {printable(message(error))}", sys.stderr) + "\n")
    sys.stderr.flush()


refused: dict[str, SweepError] = {}  # by line; those that the sweep of this process has come to know


def refuse(number: int, overrides: str, why: str) -> SweepError:
    """The error of a job, once its line has been printed. What submitit runs prints to a log file."""
    error = SweepError(f"job {number} ({overrides}): {why}", "SUBMITIT_EXECUTOR" in os.environ)
    say(error)
    return error


def report() -> str | None:
    """Print the lines that nobody has seen yet; what is left to say at the end of a sweep, None if all went well."""
    for error in refused.values():
        if error.logged:
            say(error)
    if not refused:
        return None
    return f"{len(refused)} job{'s' if len(refused) > 1 else ''} of this sweep failed, see above"


def _returned(job: JobReturn) -> object:
    if job.status == JobStatus.COMPLETED:
        return job._return_value
    error = cast(BaseException, job._return_value)
    if isinstance(error, SweepError):
        refused[error.line] = error
        return error
    raise error


# Hydra prints "Error executing job with overrides: [...]" before it raises; the command line has its own line for that.
JobReturn.return_value = property(_returned, JobReturn.return_value.fset)  # type: ignore

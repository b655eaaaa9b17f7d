"""Errors as one line, and failed jobs of a sweep, which stop no other job.

Hydra gives up a sweep at the first result that is an error. Here a failed job returns a SweepError, with its line,
which may come from another process or from another machine.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from typing import cast

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import InstantiationException, OverrideParseException

from lrx.cli.console.wrap import wrap_text
from lrx.core.text import did_you_mean, printable

# Hydra's way to say that a group has no such file; its choices are listed one a line.
NO_CHOICE = re.compile(
    r"(?:In '[^']*': )?Could not find '(?P<group>[^']*)/(?P<choice>[^'/]*)'\s+"
    r"Available options in '[^']*':\s+(?P<choices>.*?)\s*(?:Config search path|$)",
    re.S,
)
# What an extra of pyproject.toml adds to the choices.
EXTRAS = {"hydra/launcher=joblib": "sweep", "hydra/launcher=submitit_local": "sweep", "hydra/sweeper=optuna": "optuna"}
# Parts of a list or mapping that Hydra's grammar takes in quotes alone, such as names that are not ASCII.
UNQUOTED = re.compile(r"[^,:\[\]{}]*[^\w.+\-/ ,:\[\]{}][^,:\[\]{}]*", re.ASCII)
# What Hydra and OmegaConf add below a message.
TRAILER = re.compile(r"\s*(full_key|object_type|reference_type): *\S*|\s*set the environment variable.*", re.S | re.I)


def message(error: BaseException) -> str:
    """Return the line that a person needs: the cause of a failed build, Hydra's choices without its layout."""
    while isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    text = str(error)
    no_choice = NO_CHOICE.match(text)
    if no_choice is not None:
        group, choice, choices = no_choice["group"], no_choice["choice"], ", ".join(no_choice["choices"].split())
        extra = EXTRAS.get(f"{group}={choice}")
        remedy = f"; it comes with pip install -e '.[{extra}]' in the checkout of lrx" if extra else ""
        near = did_you_mean(choice, choices.split(", "))
        return f"no {group}={choice}; the choices are {choices}{near}{remedy}"
    no_key = re.match(r"Could not override '([^']*)'", text)
    if no_key is not None:
        return f"there is no key {no_key[1]}; --help lists the keys"
    unswept = re.match(r"Sweep parameters '([^'=]*).*' requires? --multirun", text)
    if unswept is not None:
        return f"{unswept[1]} has several values, which is a sweep of a job for each: add -m after the command"
    if isinstance(error, OverrideParseException) or re.match(r"Ambiguous value|LexerNoViableAlt", text):
        return _syntax_message(error, text)
    return " ".join(TRAILER.sub("", text).split()) or type(error).__name__


def _syntax_message(error: BaseException, text: str) -> str:
    """Return which word Hydra's grammar cannot parse, and how its value is quoted for the shell and for Hydra."""
    match = re.search(r"argument '(?P<quoted>.*)'\n|Exception: (?P<bare>.*)\n", text)
    word = error.override if isinstance(error, OverrideParseException) else match and (match["quoted"] or match["bare"])
    key, _, value = str(word).partition("=")
    mark = "'" if '"' in value else '"'
    if value[:1] + value[-1:] in ("[]", "{}") and mark == '"':  # a list or mapping, which stays one
        quoted = re.sub(UNQUOTED, lambda part: f'"{part[0].strip()}"', value)
        if quoted != value:
            return f"{word} cannot be read; quote its names: {shlex.quote(f'{key}={quoted}')}"
    remedy = f"quote what has spaces, commas, brackets or quotes twice: {shlex.quote(f'{key}={mark}{value}{mark}')}"
    return f"{word} cannot be read; {remedy}" + (", or sweep over its parts with -m" if "," in value else "")


class SweepError(ValueError):
    """Error of a job of a sweep. line: its message; logged: whether that went to a log file, not to the terminal."""

    def __init__(self, line: str, logged: bool) -> None:
        super().__init__(line, logged)
        self.line, self.logged = line, logged

    def __str__(self) -> str:
        return self.line


failed_jobs: dict[str, SweepError] = {}  # by line; those of the sweep of this process


def print_error(error: BaseException) -> None:
    """Print the line of an error on standard error, in one piece: other processes may print as well."""
    sys.stderr.write(wrap_text(f"lrx: {printable(message(error))}", sys.stderr) + "\n")
    sys.stderr.flush()


def job_error(number: int, overrides: str, reason: str) -> SweepError:
    """Return the error of a job after printing its line, which of a job that submitit runs goes to a log file."""
    error = SweepError(f"job {number} ({overrides}): {reason}", "SUBMITIT_EXECUTOR" in os.environ)
    print_error(error)
    return error


def job_result(job: JobReturn) -> object:
    """Return what a job returned, or its SweepError, which is kept for `summarize_failures`; raise other errors."""
    if job.status == JobStatus.COMPLETED:
        return job._return_value
    error = cast(BaseException, job._return_value)
    if isinstance(error, SweepError):
        failed_jobs[error.line] = error
        return error
    raise error


def summarize_failures() -> str | None:
    """Print the lines of failed jobs that went to log files; return how many jobs failed, None if none did."""
    for error in failed_jobs.values():
        if error.logged:
            print_error(error)
    if not failed_jobs:
        return None
    return f"{len(failed_jobs)} job{'s' if len(failed_jobs) > 1 else ''} of this sweep failed, see above"

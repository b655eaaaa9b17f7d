"""Standard output for its reader: as wide as it reads, in the letters that its encoding has, until it leaves."""

from __future__ import annotations

import codecs
import io
import sys
from typing import TextIO

import rich.console

SPELLED = {"±": "+-", "×": "x", "▾": "*", "…": "~"}  # where an encoding such as ASCII lacks them


class Console(rich.console.Console):
    """Rich's, but a reader that leaves, such as head, is python's error, where rich would end with status 1."""

    def on_broken_pipe(self) -> None:
        """What rich calls where a pipe has nobody to read it."""
        raise BrokenPipeError


def spelling() -> TextIO:
    """Standard output, which from now on spells the letters that its encoding lacks."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="lrx")
    return sys.stdout


def _spell(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(SPELLED.get(letter, "?") for letter in error.object[error.start : error.end]), error.end


codecs.register_error("lrx", _spell)

"""Standard output as rich's console: as wide as who reads it, in the letters that its encoding has."""

from __future__ import annotations

import codecs
import io
import sys
from typing import TextIO

from rich.console import Console

from lrx.terminal.shell import width_of

WIDTH = 80  # of a pipe
SPELLED = {"±": "+-", "×": "x", "▾": "*", "…": "~"}  # where an encoding such as ASCII lacks them


class Screen(Console):
    """A console whose reader may leave: the command line knows what that means."""

    def on_broken_pipe(self) -> None:
        """Tell it as python does, where rich would end the process with status 1."""
        raise BrokenPipeError


def screen() -> Screen:
    """Standard output as a console; a terminal may change its width, a pipe has that of COLUMNS, or 80."""
    out = spelling()
    return Screen(highlight=False, width=None if out.isatty() else width_of(out) or WIDTH)


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

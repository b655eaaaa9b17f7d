"""Standard output: terminal width, ASCII fallback."""

from __future__ import annotations

import codecs
import io
import sys
from typing import TextIO

from rich.console import Console

from lrx.cli.console.wrap import width_of

ASCII = {"±": "+-", "×": "x", "▾": "*", "…": "~"}  # for encodings that lack these letters


def stdout_console() -> Console:
    """Return a console on standard output: as wide as the terminal, or as COLUMNS or 80 in a pipe."""
    stream = ascii_fallback()
    return Console(highlight=False, width=None if stream.isatty() else width_of(stream) or 80)


def ascii_fallback() -> TextIO:
    """Return standard output, after having it write ASCII for letters that its encoding lacks."""
    codecs.register_error("lrx", _in_ascii)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="lrx")
    return sys.stdout


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(ASCII.get(letter, "?") for letter in error.object[error.start : error.end]), error.end

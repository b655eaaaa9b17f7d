"""Line breaks for narrow terminals, and the width of who reads."""

from __future__ import annotations

import os
import textwrap
from typing import TextIO


def wrap_text(text: str, stream: TextIO) -> str:
    """Return a text whose lines are broken between words where the reader of a stream has a narrow terminal.

    Elsewhere, as in a pipe, a line stays a line, so that grep finds it whole. A broken command can be pasted.
    """
    width = width_of(stream)
    return text if width is None else "\n".join(_wrap_line(line, width) for line in text.split("\n"))


def width_of(stream: TextIO) -> int | None:
    """Return the characters of a line of a stream: COLUMNS, or a terminal's width; None where neither is there."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns):
        return int(columns)
    if stream.isatty():
        return os.get_terminal_size(stream.fileno()).columns or 80  # some terminals say 0
    return None


def _wrap_line(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    inner = line.lstrip(" ")
    hanging = " " * (len(line) - len(inner) + 2)
    command = inner.startswith("lrx ")
    parts = textwrap.wrap(
        line, width - 2 * command, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False
    )
    return (" \\\n" if command else "\n").join(parts)

"""Commands that the page writes: what draws a strip again, and what measures a matrix, in a shell or in python."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lrx.explore.view import View

DRAWN = "strip.png"
MOST = 10  # units of a panel of a strip, the first that are asked for


@dataclass(frozen=True)
class Commands:
    """Commands of a page. draw: of views, with the responses of units. measure: that gives a response matrix."""

    draw: Callable[[Sequence[View], Sequence[int]], str]
    measure: str


def in_shell(words: Sequence[str]) -> Commands:
    """Return commands for a shell. words: those that say what is explored, such as `ckpt=outputs/train/run`."""

    def draw(views: Sequence[View], units: Sequence[int]) -> str:
        typed = f"views=[{','.join(view.typed() for view in views)}]"
        shown = f"show=[{','.join(map(str, units[:MOST]))}]"
        return shlex.join(["lrx", "explore", *words, typed, shown, f"out={DRAWN}"])

    return Commands(draw, shlex.join(["lrx", "assay", *words, "assay=response_matrix"]))


def in_python(subject: str) -> Commands:
    """Return calls of python. subject: what is explored, as in `model, images`."""

    def draw(views: Sequence[View], units: Sequence[int]) -> str:
        typed = ", ".join(repr(view.entries()) for view in views)
        return f"lrx.explore({subject}, views=[{typed}], show={list(units[:MOST])}, out={DRAWN!r})"

    return Commands(draw, f'lrx.assay("response_matrix", {subject})')

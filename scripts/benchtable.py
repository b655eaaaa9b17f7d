"""Tables of benchmarks: rows with their spread, on the terminal and as Markdown, and the options of all scripts."""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from benchsides import Spread


@dataclass(frozen=True)
class Row:
    """One implementation of the work of a section.

    cost: in the unit of the section. ratio: how many times as fast as the plain side, compared as the section states.
    share: of the matrix-product rate. demanded: in words; met: whether it is, None where nothing is demanded.
    note: whatever else was measured.
    """

    name: str
    cost: Spread
    ratio: Spread | None = None
    share: float | None = None
    demanded: str = ""
    met: bool | None = None
    note: str = ""


@dataclass(frozen=True)
class Section:
    """Table with an introduction and remarks.

    unit: of costs. picture: a PNG to show below.
    """

    title: str
    text: str
    unit: str
    rows: Sequence[Row]
    remarks: Sequence[str] = ()
    picture: bytes | None = None


HEAD = ("", "{unit}", "times as fast", "of the matrix rate", "demanded", "")


def cells(section: Section) -> list[tuple[str, ...]]:
    """Return the table, its head first, without empty columns."""
    table = [tuple(word.format(unit=section.unit) for word in HEAD)]
    for row in section.rows:
        met = {None: row.demanded, True: f"{row.demanded}: met", False: f"{row.demanded}: MISSED"}[row.met]
        share = "" if row.share is None else f"{100 * row.share:.0f} %"
        table.append((row.name, words(row.cost), words(row.ratio) if row.ratio else "", share, met, row.note))
    filled = [column for column in range(len(HEAD)) if any(line[column] for line in table[1:])]
    return [tuple(line[column] for column in filled) for line in table]


def missed(section: Section) -> list[str]:
    """Return a line for each row that misses its demand."""
    return [
        f"{row.name}, {words(row.ratio or row.cost)} where {row.demanded} is demanded{row.note and f' ({row.note})'}"
        for row in section.rows
        if row.met is False
    ]


def words(values: Spread) -> str:
    """Return a median with its range, to three digits."""
    if values.least == values.most:
        return _digits(values.median)
    return f"{_digits(values.median)} ({_digits(values.least)}–{_digits(values.most)})"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def terminal(section: Section) -> str:
    """Return a section as text, in columns."""
    table = cells(section)
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    return "\n".join([f"{section.title}\n{section.text}", *lines, *section.remarks])


def markdown(section: Section, picture: str = "") -> str:
    """Return a section as Markdown; picture: path of its picture, relative to the page."""
    table = cells(section)
    lines = [f"| {' | '.join(line)} |" for line in table]
    parts = [f"## {section.title}", section.text, "\n".join([lines[0], "|---" * len(table[0]) + "|", *lines[1:]])]
    parts += section.remarks
    if section.picture is not None:
        parts.append(f"![{section.title}]({picture})")
    return "\n\n".join(parts)


def arguments(description: str) -> argparse.ArgumentParser:
    """Return the parser with the options of all scripts."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a check in seconds, without meaningful figures")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser


def main(measure: Callable[..., Section], description: str) -> None:
    """Measure one section and print it; write its picture, if any, to the file of --picture."""
    parser = arguments(description)
    parser.add_argument("--store", type=Path, help="file to store the section in, for scripts/bench.py")
    parser.add_argument("--picture", type=Path, help="file to write the picture to")
    told = parser.parse_args()
    section = measure(quick=told.quick, threads=told.threads)
    print(terminal(section))
    if told.store:
        told.store.write_bytes(pickle.dumps(section))
    if section.picture is not None and told.picture:
        told.picture.write_bytes(section.picture)

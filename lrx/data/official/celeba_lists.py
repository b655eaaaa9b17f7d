"""CelebA's two lists, attributes and official partition, of one row an image, 000001.jpg the first.

The official ones are text; those of Kaggle's edition are csv, with a line of names and without the number of images.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

ROWS = 1 << 14  # read at a time
CSV = ".csv"
LONGEST_COUNT = 12  # digits; python reads no number of thousands


def image_name(row: int) -> str:
    """Return the file name of the image in a row, counted from 0.

    >>> image_name(0)
    '000001.jpg'
    """
    return f"{row + 1:06d}.jpg"


def attribute_header(path: Path) -> tuple[int, tuple[str, ...]]:
    """Read the number of images and the names of the attributes from the first two lines; else ValueError.

    Of a csv, the number is that of its rows.
    """
    with _text(path) as file:
        if path.suffix == CSV:
            names, count = tuple(_words(path, file.readline())[1:]), str(sum(not line.isspace() for line in file))
            return _checked_header(path, count, names)
        count, names = file.readline().strip(), tuple(file.readline().split())
    return _checked_header(path, count, names)


def _checked_header(path: Path, count: str, names: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    if not count.isdecimal() or len(count) > LONGEST_COUNT or int(count) == 0:
        raise ValueError(f"{path} begins with {count[:40]!r}, not with the number of its images")
    if not names or len(set(names)) < len(names):
        line = "first" if path.suffix == CSV else "second"
        raise ValueError(f"the {line} line of {path} must hold the names of the attributes, each once")
    return int(count), names


def attribute_classes(path: Path) -> Iterator[np.ndarray]:
    """Yield blocks uint8 (B, attributes): 0 for -1 and 1 for 1.

    ValueError when a row is not that of the next image, or their number is not that of the first line.
    """
    count, names = attribute_header(path)
    with _text(path) as file:
        begin = 1 if path.suffix == CSV else 2
        yield from _rows(path, islice(file, begin, None), count, len(names), {"-1": 0, "1": 1})


def split_codes(path: Path, *, count: int) -> Iterator[np.ndarray]:
    """Yield blocks uint8 (B, 1): 0 train, 1 validation, 2 test.

    ValueError when a row is not that of the next image, or their number is not `count`.
    """
    with _text(path) as file:
        lines = islice(file, 1, None) if path.suffix == CSV else file
        yield from _rows(path, lines, count, 1, {"0": 0, "1": 1, "2": 2})


def _text(path: Path) -> TextIO:
    return open(path, encoding="ascii", errors="replace")  # what is not ascii is refused by its row


def _words(path: Path, line: str) -> list[str]:
    """Split a line, of csv at its commas; an empty line has no words."""
    if path.suffix != CSV:
        return line.split()
    return [word.strip() for word in line.split(",")] if line.strip() else []


def _rows(path: Path, lines: Iterator[str], count: int, width: int, codes: dict[str, int]) -> Iterator[np.ndarray]:
    row = 0
    while block := [_words(path, line) for line in islice(lines, ROWS)]:
        while block and not block[-1]:  # empty lines at the end of the file
            block.pop()
        for words in block:
            row += 1
            if len(words) != 1 + width or words[0] != image_name(row - 1) or not codes.keys() >= set(words[1:]):
                raise ValueError(_explain(path, row, words, width, codes))
        yield np.array([[codes[word] for word in words[1:]] for words in block], dtype=np.uint8).reshape(-1, width)
    if row != count:
        raise ValueError(f"{path} has rows of {row} images, not of {count}")


def _explain(path: Path, row: int, words: list[str], width: int, codes: dict[str, int]) -> str:
    where = f"{path}: row {row} of the images"
    if words[:1] != [image_name(row - 1)]:
        return f"{where} begins with {' '.join(words[:1])[:40]!r}, not with {image_name(row - 1)}"
    if len(words) != 1 + width:
        return f"{where} has {len(words) - 1} values, not {width}"
    unknown = next(word for word in words[1:] if word not in codes)
    return f"{where} has the value {unknown[:40]!r}; valid values are {', '.join(codes)}"

"""The values of one's own arrays to those that lrx keeps: pixels as uint8, vectors as float32."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lrx.data.store.array_file import StoredArray


def pixel_blocks(array: StoredArray, notes: list[str]) -> Iterator[np.ndarray]:
    """The rows as uint8 of 0 to 255, in pieces; what was done to the values is added to `notes`.

    ValueError for floats outside [0, 1], and for other dtypes than uint8, bool and float.
    """
    if array.dtype.kind == "f":
        notes.append("values in [0, 1] rounded to 256 levels")
        yield from _rounded(array)
    elif array.dtype == np.bool_ or (array.dtype == np.uint8 and all(block.max() <= 1 for block in array.rows())):
        notes.append("values 0 and 1 taken as 0 and 255")
        for block in array.rows():
            yield block.astype(np.uint8) * np.uint8(255)
    elif array.dtype == np.uint8:
        yield from array.rows()
    else:
        raise ValueError(
            f"{array.path}: {array.key!r} has dtype {array.dtype}; images are uint8, bool, or float in [0, 1]"
        )


def vector_blocks(array: StoredArray) -> Iterator[np.ndarray]:
    """The rows as float32, in pieces; ValueError for other dtypes than float, and for values that are not finite."""
    if array.dtype.kind != "f":
        raise ValueError(
            f"{array.path}: {array.key!r} has shape {array.shape} and dtype {array.dtype}; two axes are vectors, "
            "which are float, and images have three axes or four"
        )
    start = 0
    for block in array.rows():
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
            vectors = block.astype(np.float32)
        _refuse(array, block, ~np.isfinite(vectors), start, "that float32 cannot hold")
        yield vectors
        start += len(block)


def _rounded(array: StoredArray) -> Iterator[np.ndarray]:
    start = 0
    for block in array.rows():
        _refuse(array, block, ~((block >= 0) & (block <= 1)), start, "outside [0, 1]")  # NaN is neither
        yield np.rint(block.astype(np.promote_types(block.dtype, np.float32)) * 255).astype(np.uint8)
        start += len(block)


def _refuse(array: StoredArray, block: np.ndarray, wrong: np.ndarray, start: int, what: str) -> None:
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0])
        raise ValueError(f"{array.path}: row {start + place[0]} of {array.key!r} has the value {block[place]:g} {what}")

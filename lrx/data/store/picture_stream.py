"""Many pictures to pixels: decoded by threads, given in order, with no more in memory than is under way."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np

from lrx.core.validation import SettingError, check_choice, is_whole
from lrx.data.store.pictures import Unreadable, no_pixel_warnings

BLOCK_BYTES = 2 << 20  # of pixels that a thread makes at a time
ON_CORRUPT = ("error", "skip")
T = TypeVar("T")
Block = tuple[np.ndarray, list[str]]  # pixels (B, H, W, C), and the names of the unreadable ones


def check_stream(*, on_corrupt: str, workers: int | None) -> None:
    """Check the settings of `stream`."""
    check_choice("on_corrupt", on_corrupt, ON_CORRUPT)
    if workers is not None and not is_whole(workers, 1):
        raise SettingError(f"workers must be a number of threads, at least 1, or null, not {workers!r}")


def stream(
    pictures: Iterable[T],
    decode: Callable[[T], np.ndarray],
    *,
    shape: tuple[int, ...],
    on_corrupt: str,
    skipped: list[str],
    workers: int | None = None,
) -> Iterator[np.ndarray]:
    """Yield pictures, given by what `decode` takes, in their order, in blocks uint8 (B, *shape).

    pictures: names, or what has its name as `str`. decode: one to uint8 `shape`, or Unreadable; called in threads,
        where Pillow decodes side by side.
    on_corrupt: "error" to stop at an unreadable picture, "skip" to leave its pixels black and its name in `skipped`.
    workers: threads; None for one a core.
    ValueError for the first unreadable picture, or when none can be read.
    """
    rows = max(1, BLOCK_BYTES // int(np.prod(shape)))

    def block(some: Sequence[T]) -> Block:
        pixels, unreadable = np.zeros((len(some), *shape), dtype=np.uint8), []
        for row, picture in enumerate(some):
            try:
                pixels[row] = decode(picture)
            except Unreadable as error:
                if on_corrupt == "error":
                    raise ValueError(f"{error}; replace it, or set dataset.on_corrupt=skip to leave it out") from error
                unreadable.append(str(picture))
        return pixels, unreadable

    num_pictures, left = 0, iter(pictures)
    chunks = iter(lambda: list(islice(left, rows)), [])
    with no_pixel_warnings():
        for pixels, unreadable in _in_order(block, chunks, workers or os.cpu_count() or 1):
            skipped += unreadable
            num_pictures += len(pixels)
            yield pixels
    if skipped and len(skipped) == num_pictures:
        raise ValueError(f"none of the {num_pictures} images can be read; the first is {skipped[0]}")


def check_skipped(skipped: Sequence[str], *, on_corrupt: str) -> str:
    """Return what `source` says of the pictures that a conversion left out; ValueError if none may be left out now."""
    if not skipped:
        return ""
    if on_corrupt == "error":
        raise ValueError(
            f"{len(skipped)} images could not be read, {skipped[0]} the first; "
            "replace them, or set dataset.on_corrupt=skip to leave them out"
        )
    return f", {len(skipped)} unreadable image{'s' if len(skipped) > 1 else ''} left out"


def _in_order(work: Callable[[Sequence[T]], Block], items: Iterable[Sequence[T]], workers: int) -> Iterator[Block]:
    """Yield work(item) for every item, done by threads, in order; at most 2 * workers of them at a time."""
    waiting: deque[Future[Block]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) == 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

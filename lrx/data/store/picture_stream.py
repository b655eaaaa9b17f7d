"""Many pictures to pixels: decoded by threads, given in order, with no more in memory than is under way."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from lrx.core.validation import SettingError, check_choice, is_whole
from lrx.data.store.pictures import Unreadable, no_pixel_warnings

BLOCK_BYTES = 2 << 20  # of pixels that a thread makes at a time
ON_CORRUPT = ("error", "skip")
Block = tuple[np.ndarray, list[str]]  # pixels (B, H, W, C), and the names of the unreadable ones


def check_stream(*, on_corrupt: str, workers: int | None) -> None:
    """Check the settings of `stream`."""
    check_choice("on_corrupt", on_corrupt, ON_CORRUPT)
    if workers is not None and not is_whole(workers, 1):
        raise SettingError(f"workers must be a number of threads, at least 1, or null, not {workers!r}")


def stream(
    names: Sequence[str],
    decode: Callable[[str], np.ndarray],
    *,
    shape: tuple[int, ...],
    on_corrupt: str,
    skipped: list[str],
    workers: int | None = None,
) -> Iterator[np.ndarray]:
    """Yield the pictures in the order of their names, in blocks uint8 (B, *shape).

    decode: a name to uint8 `shape`, or Unreadable; called in threads, where Pillow decodes side by side.
    on_corrupt: "error" to stop at an unreadable picture, "skip" to leave its pixels black and its name in `skipped`.
    workers: threads; None for one a core.
    ValueError for the first unreadable picture, or when none can be read.
    """
    rows = max(1, BLOCK_BYTES // int(np.prod(shape)))

    def block(start: int) -> Block:
        pixels, unreadable = np.zeros((len(names[start : start + rows]), *shape), dtype=np.uint8), []
        for row, name in enumerate(names[start : start + rows]):
            try:
                pixels[row] = decode(name)
            except Unreadable as error:
                if on_corrupt == "error":
                    raise ValueError(f"{error}; replace it, or set dataset.on_corrupt=skip to leave it out") from error
                unreadable.append(name)
        return pixels, unreadable

    with no_pixel_warnings():
        for pixels, unreadable in _in_order(block, range(0, len(names), rows), workers or os.cpu_count() or 1):
            skipped += unreadable
            yield pixels
    if len(skipped) == len(names):
        raise ValueError(f"none of the {len(names)} images can be read; the first is {names[0]}")


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


def _in_order(work: Callable[[int], Block], items: Iterable[int], workers: int) -> Iterator[Block]:
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

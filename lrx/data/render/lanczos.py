"""Pictures traced at 192 x 192, reduced to 64 x 64 by Lanczos-3 in whole numbers.

    w(t) = sinc(t) sinc(t / 3), |t| < 3 pixels of the reduced picture; weights of a pixel sum to 1

Source: Duchon, "Lanczos Filtering in One and Two Dimensions", 1979. Shapes: P = 192; M, any number of maps.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SIDE, REDUCTION = 64, 3
LOBES = 3  # of the filter, in pixels to either side

_WEIGHT, _PARTS = 4096, 8  # sum of the filter's integer weights; parts of a grey level kept between its two passes


def traced(pixels: slice) -> slice:
    """Return the traced pixels that the filter mixes into a range of pixels."""
    return slice(max(0, (pixels.start - LOBES) * REDUCTION), min(SIDE, pixels.stop + LOBES) * REDUCTION)


def reduced(picture: npt.NDArray[np.float32], rows: slice, columns: slice, *, units: int) -> npt.NDArray[np.int16]:
    """Return a window (M, rows, columns), in 1 / units of a grey level, of its traced pixels (M, p, q).

    picture: whole grey levels of the rows `traced(rows)` and the columns `traced(columns)`. They, the weights and all
    sums are whole numbers below 2**24, which float32 adds without rounding: the bytes depend neither on the order of
    summation nor on the number of threads.
    """
    down, across = _WEIGHTS[rows, traced(rows)], _WEIGHTS[columns, traced(columns)]
    lines = picture.reshape(-1, picture.shape[-1])  # one product of matrices: many small ones wait for threads
    half = np.rint(lines @ across.T * (_PARTS / _WEIGHT)).reshape(len(picture), -1, len(across))
    whole: npt.NDArray[np.int16] = np.rint(down @ half * (units / _PARTS / _WEIGHT)).astype(np.int16)
    return whole


def _weights() -> npt.NDArray[np.float32]:
    """Return integer weights (64, P) of every traced pixel in every pixel; rows sum to _WEIGHT up to rounding."""
    offset = (np.arange(SIDE * REDUCTION) + 0.5) / REDUCTION - (np.arange(SIDE)[:, None] + 0.5)
    weights = np.where(np.abs(offset) < LOBES, np.sinc(offset) * np.sinc(offset / LOBES), 0.0)
    whole: npt.NDArray[np.float32] = np.rint(_WEIGHT * weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return whole


_WEIGHTS = _weights()

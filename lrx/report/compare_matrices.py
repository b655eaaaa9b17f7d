"""Matrices of two runs on the same scale, and their difference where latents of both are known to correspond.

Latents of two models have no order in common: they are aligned as those of seeds (`lrx.runs.over_seeds`). Those of one
checkpoint are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lrx.assays.plotting import style
from lrx.assays.summary import CLEAR
from lrx.core.types import Array, AssayResult
from lrx.report import pictures, small_matrix
from lrx.report.pictures import Picture
from lrx.report.run_page import description_of
from lrx.report.sweep_runs import MATRICES
from lrx.runs.over_seeds import LATENTS, NO_BASIS, Model, summarize
from lrx.storage import results

CHANCE = 0.0455  # share of normal deviations above two standard errors


class Order(NamedTuple):
    """Latents of the second run in the order of the first (None: not known), and how that is known."""

    latents: np.ndarray | None
    words: str


def align(
    first: Sequence[results.Provenance],
    second: Sequence[results.Provenance],
    of_first: Mapping[str, AssayResult],
    of_second: Mapping[str, AssayResult],
) -> Order:
    """Return which latents of two runs correspond, by the provenance of their results and these."""
    hashes = [{str(made.get("checkpoint_sha256", "")) for made in provenances} for provenances in (first, second)]
    if hashes[0] == hashes[1] and len(hashes[0]) == 1 and hashes[0] != {""}:
        return Order(np.arange(0), "both measured the same checkpoint")
    made = summarize([Model("first", 0, of_first), Model("second", 1, of_second)])
    if made is None or made.aligned is None:
        return Order(None, f"latents are {NO_BASIS}" if made is None else f"latents are {made.alignment}")
    order_MD = made.aligned.order_MD
    words = f"latents of the second are in the order of the first, aligned by {made.alignment}"
    return Order(order_MD[1][np.argsort(order_MD[0])], f"{words}, with a mean agreement of {made.agreement:.3g}")


def draw(
    name: str, pair: tuple[AssayResult, AssayResult], names: tuple[str, str], order: Order
) -> tuple[list[Picture], list[str], list[str]]:
    """Return the pictures of a matrix in both runs and of its difference, what is said of it, and lines for faults."""
    if name not in MATRICES or not all("matrix" in result.arrays for result in pair):
        return [], [], []
    title = description_of(name).title
    try:
        shown = (pair[0], _in_order(pair[1], order.latents))
        first, second = (result.arrays["matrix"] for result in shown)
        drawn = [
            _picture(result.arrays["matrix"], result, f"{title} of {run}.", run)
            for result, run in zip(shown, names, strict=True)
        ]
        scales = {str(result.settings.get("normalization")) for result in pair}
        same = all(
            np.array_equal(pair[0].coordinates[axis], pair[1].coordinates[axis]) for axis in {*first.axes} - LATENTS
        )
        if order.latents is None or first.values.shape != second.values.shape or not same or len(scales) > 1:
            reason = order.words if order.latents is None else "factors, sizes or scales differ"
            return drawn, [f"No difference of entries: {reason}."], []
        step = second.values - first.values
        what = f"{names[1]} minus {names[0]}"
        caption = f"{what}; red: more, blue: less"
        drawn.append(_picture(Array(step, first.axes), pair[0], f"{title}: {what}.", caption, difference=True))
        errors = [result.arrays["matrix_se"] for result in shown]
        clear = int((np.abs(step) > CLEAR * np.hypot(*(error.values for error in errors))).sum())
        counted = f"{clear} of {step.size} entries differ by more than {CLEAR:g} standard errors"
        return drawn, [f"{counted} (by chance {CHANCE * step.size:.0f}); {order.words}."], []
    except Exception as error:  # drawing raises anything, for arrays that a file may hold
        return [], [], [f"{name} cannot be compared ({pictures.reason(error)})"]


def _in_order(result: AssayResult, latents: np.ndarray | None) -> AssayResult:
    """Return the matrix of a result with its latents, and their labels, in this order; as it is where none is known."""

    def ordered(values: np.ndarray, axes: Sequence[str]) -> np.ndarray:
        for place, axis in enumerate(axes):
            if axis in LATENTS and latents is not None and len(latents) == values.shape[place]:
                values = np.take(values, latents, axis=place)
        return values

    arrays = {
        name: Array(ordered(array.values, array.axes), array.axes)
        for name, array in result.arrays.items()
        if name in ("matrix", "matrix_se")
    }
    coordinates = {axis: ordered(labels, (axis,)) for axis, labels in result.coordinates.items()}
    return AssayResult(arrays, coordinates, {}, result.settings)


def _picture(array: Array, result: AssayResult, alt: str, caption: str, *, difference: bool = False) -> Picture:
    with style.plot_style():
        shown = AssayResult({"matrix": array}, result.coordinates, {}, result.settings)
        return pictures.as_picture(small_matrix.figure(shown, difference=difference), alt, caption=caption)

"""Answers of results: the latents that respond to each factor, the factors that each latent responds to, and the other
latents that move when one is set.

A response counts where it is above `LEAST` (of `conditioned_response` its setting `threshold`) and above `SIGNIFICANT`
standard errors; without an error where it is above `LEAST` alone. Of latents with scales of their own
(`lrx.responses.enumeration.has_own_scale`) `LEAST` counts in their unit, or in the step that sets them, where the
result has it. Source of the least response: Leeb et al. 2022 (arXiv 2106.16091), their code; the errors are ours.
R rows, C columns of a matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrx.assays.plotting.unit_words import unit_label
from lrx.core.text import humanize

if TYPE_CHECKING:
    from lrx.core.types import AssayResult  # which imports torch, and results are shown without

LEAST = 0.1  # response that counts
SIGNIFICANT = 2.0  # standard errors, as in `latent_graph`


class Answer(NamedTuple):
    """Response of a latent, or to a factor, of this name; se: its standard error, NaN where there is none."""

    name: str
    response: float
    se: float


Answers = dict[str, list[Answer]]  # by what is changed or set, the largest response first


class Matrix(NamedTuple):
    """Matrix of responses (R, C) with standard errors, names of rows and columns, and the least that counts (C,)."""

    values_RC: np.ndarray
    se_RC: np.ndarray
    rows: list[str]
    columns: list[str]
    least_C: np.ndarray


def factor_answers(assays: Mapping[str, AssayResult]) -> Answers:
    """Return for each factor the latents that respond when it changes; empty without a conditioned response."""
    found = _of_factors(assays)
    return _ranked(found) if found else {}


def latent_answers(assays: Mapping[str, AssayResult]) -> Answers:
    """Return for each latent the factors that it responds to; empty without a conditioned response."""
    found = _of_factors(assays)
    if found is None:
        return {}
    # a column's least response is that of its latent, which is a row here
    every = Matrix(found.values_RC.T, found.se_RC.T, found.columns, found.rows, found.least_C[:, None])
    return _ranked(every)


def moved_latents(assays: Mapping[str, AssayResult]) -> Answers:
    """Return for each latent that is set the others that move: of the response matrix, else of another assay with such
    a matrix, else of a traversal; empty where there is none."""
    order = sorted(assays, key=lambda name: name != "response_matrix")
    for array, axes in (("matrix", ("intervened", "responding")), ("answer", ("latent", "unit"))):
        for found in _matrices({name: assays[name] for name in order}, array, axes):
            other_RC = np.array([[row != column for column in found.columns] for row in found.rows])
            return _ranked(found._replace(values_RC=np.where(other_RC, found.values_RC, np.nan)))
    return {}


def _of_factors(assays: Mapping[str, AssayResult]) -> Matrix | None:
    """Return the conditioned responses (F, D) of a result; None without."""
    for array in ("matrix", "response"):  # of conditioned_response, and of factor_inference
        for found in _matrices(assays, array, ("factor", "latent")):
            return found
    return None


def _matrices(assays: Mapping[str, AssayResult], name: str, axes: tuple[str, str]) -> Iterator[Matrix]:
    """Yield the arrays of this name and these axes that are matrices of numbers: a file may hold anything."""
    for assay, result in assays.items():
        array = result.arrays.get(name)
        if array is None or array.axes != axes or array.values.dtype.kind not in "iuf":
            continue
        labels = [
            np.atleast_1d(result.coordinates.get(axis, np.arange(size)))
            for axis, size in zip(axes, array.values.shape, strict=True)
        ]
        if tuple(map(len, labels)) != array.values.shape:
            continue
        errors = result.arrays.get(f"{name}_se")
        fits = errors is not None and errors.values.shape == array.values.shape and errors.values.dtype.kind in "iuf"
        se_RC = errors.values if errors is not None and fits else np.full(array.values.shape, np.nan)
        rows, columns = (
            [humanize(str(label)) if axis == "factor" else unit_label(result, label) for label in part]
            for axis, part in zip(axes, labels, strict=True)
        )
        yield Matrix(array.values, se_RC, rows, columns, _least(assay, result, len(columns)))


def _least(assay: str, result: AssayResult, columns: int) -> np.ndarray:
    """Return the least response that counts (C,)."""
    threshold = result.settings.get("threshold") if assay == "conditioned_response" else None
    least_C = np.full(columns, threshold if isinstance(threshold, int | float) else LEAST)
    own_scale = "values" in result.settings or str(result.settings.get("units") or "element") != "element"
    unit = result.arrays.get("unit", result.arrays.get("step") if own_scale else None)
    return least_C * unit.values if unit is not None and unit.values.shape == (columns,) else least_C


def _ranked(found: Matrix) -> Answers:
    """Return for each row its columns with a response that counts."""
    # fmax: where the error is NaN, the least alone
    counts_RC = found.values_RC > np.fmax(found.least_C, SIGNIFICANT * found.se_RC)
    order_RC = np.argsort(-np.where(counts_RC, found.values_RC, -np.inf), axis=1, kind="stable")
    return {
        row: [
            Answer(found.columns[c], float(found.values_RC[r, c]), float(found.se_RC[r, c]))
            for c in order_RC[r]
            if counts_RC[r, c]
        ]
        for r, row in enumerate(found.rows)
    }

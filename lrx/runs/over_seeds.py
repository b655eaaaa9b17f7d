"""Estimates over models that differ in their seed alone: means with within-model and between-seed standard errors.

x_m is the estimate of model m of M (a score, or an entry of an array), e_m its standard error.
    mean = sum x_m / M
    se_within = sqrt(sum e_m^2) / M: error of the mean of these M models, which comes from the draws of the assays.
    se_between = s / sqrt(M), s the standard deviation of x_m: error of the mean over all seeds, from the spread over
        these. It includes the former; where both are alike, the models differ by no more than the errors of measuring.
Arrays over latents are aligned first (lrx.metrics.alignment): by codes of the same images where all models have the
assay `codes`, else by responses to factors where all have `conditioned_response`, else they are left out.
M models, D latents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lrx.core.statistics import mean_and_se
from lrx.core.types import Array, AssayResult
from lrx.metrics.alignment import MOST_LATENTS, Alignment, align_codes, align_responses

LATENTS = {"latent", "intervened", "responding"}  # axes over latents
AXES = {*LATENTS, "factor"}  # axes of arrays that are averaged
NO_BASIS = "not aligned, as not all have codes of the same images, or conditioned responses to the same factors"
Key = tuple[str, str]  # of a score or an array: the assay and the name


class Estimate(NamedTuple):
    """Mean over models, its within-model and between-seed standard errors (NaN: not known), and how many it is of."""

    mean: np.ndarray
    se_within: np.ndarray
    se_between: np.ndarray
    num_seeds: np.ndarray


@dataclass(frozen=True)
class Model:
    """Model with its seed and what assays measured."""

    run: str
    seed: object
    assays: Mapping[str, AssayResult]


@dataclass(frozen=True)
class OverSeeds:
    """Summary of models that differ in their seed alone.

    runs: one for each seed; repeated: others of the same seeds, left out; remarks: by assay, the runs where it has one.
    alignment: what it rests on, in words; latents are numbered as in the run `reference`. order, sign (M, D) and
    agreement (M, D) as of `lrx.metrics.alignment.Alignment`, None where latents are not aligned.
    labels: of the axes of arrays, by assay.
    """

    runs: tuple[str, ...]
    repeated: tuple[str, ...]
    remarks: Mapping[str, tuple[str, ...]]
    alignment: str
    aligned: Alignment | None
    scores: Mapping[Key, Estimate]
    arrays: Mapping[Key, tuple[Array, Estimate]] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """Run whose numbers of latents are used; empty where latents are not aligned."""
        return "" if self.aligned is None else self.runs[self.aligned.reference]

    @property
    def agreement(self) -> float:
        """Mean agreement of the latents of the other models with those of the reference; NaN without alignment."""
        if self.aligned is None:
            return float("nan")
        return float(np.delete(self.aligned.agreement_MD, self.aligned.reference, axis=0).mean())


def estimate(values: ArrayLike, errors: ArrayLike) -> Estimate:
    """Return the estimate of values (M, ...) with standard errors (M, ...); NaN stands for a missing one."""
    values_M, errors_M = np.asarray(values, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    mean, se_between = mean_and_se(values_M)
    valid_M = ~np.isnan(values_M)
    count = valid_M.sum(axis=0)
    total = np.where(valid_M, np.square(errors_M), 0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Estimate(mean, np.sqrt(total) / count, se_between, count)


def summarize(models: Sequence[Model]) -> OverSeeds | None:
    """Summarise models that differ in their seed alone; None where there are fewer than two seeds."""
    by_seed: dict[str, Model] = {}
    for model in models:
        by_seed.setdefault(repr(model.seed), model)
    chosen = list(by_seed.values())
    if len(chosen) < 2:
        return None
    aligned, words = _align(chosen)
    assays = list(dict.fromkeys(name for model in chosen for name in model.assays))
    scores: dict[Key, Estimate] = {}
    for assay in assays:
        scores |= {(assay, name): found for name, found in _scores(chosen, assay).items()}
    arrays, labels = _arrays(chosen, aligned)
    return OverSeeds(
        runs=tuple(model.run for model in chosen),
        repeated=tuple(model.run for model in models if not any(model is one for one in chosen)),
        remarks={assay: runs for assay in assays if (runs := _remarked(chosen, assay))},
        alignment=words,
        aligned=aligned,
        scores=scores,
        arrays=arrays,
        labels=labels,
    )


def _scores(models: Sequence[Model], assay: str) -> dict[str, Estimate]:
    """Return the estimate of each score of an assay."""
    of_each = [model.assays[assay].scores if assay in model.assays else {} for model in models]
    every = dict.fromkeys(name for own in of_each for name in own)
    names = [name for name in every if not (name.endswith("_se") and name.removesuffix("_se") in every)]
    values_SM, errors_SM = (
        np.array([[own.get(f"{name}{end}", np.nan) for own in of_each] for name in names]) for end in ("", "_se")
    )
    found = estimate(values_SM.T, errors_SM.T)
    return {name: Estimate(*(part[place] for part in found)) for place, name in enumerate(names)}


def _remarked(models: Sequence[Model], assay: str) -> tuple[str, ...]:
    """Return the runs whose assay has a remark."""
    return tuple(m.run for m in models if assay in m.assays and m.assays[assay].settings.get("remark"))


def averaged(array: Array) -> bool:
    """Return whether an array is one that is averaged over models: numbers over latents and factors."""
    return bool(array.axes) and {*array.axes} <= AXES and array.values.dtype.kind in "iuf"


def _align(models: Sequence[Model]) -> tuple[Alignment | None, str]:
    """Align models, and say by what; None and the reason where they cannot be."""
    if codes := _shared(models, "codes", "codes", rows="image"):
        return align_codes(codes), f"codes of {len(codes[0]):,} images"
    if responses := _shared(models, "conditioned_response", "matrix", rows="factor"):
        return align_responses(responses), "conditioned responses"
    return None, NO_BASIS


def _shared(models: Sequence[Model], assay: str, name: str, *, rows: str) -> list[np.ndarray]:
    """Return a finite matrix of all models, whose second axis is the latents and whose first has the same labels `rows`
    in all; empty where not all have it."""
    results = [model.assays[assay] for model in models if assay in model.assays]
    parts = [result for result in results if name in result.arrays and rows in result.coordinates]
    matrices = [result.arrays[name].values for result in parts]
    fits = (
        len(parts) == len(models)
        and len({matrix.shape for matrix in matrices}) == 1
        and matrices[0].ndim == 2
        and len(matrices[0]) > 1
        and 0 < matrices[0].shape[1] <= MOST_LATENTS
        and all(matrix.dtype.kind in "iuf" and np.isfinite(matrix).all() for matrix in matrices)
        and all(np.array_equal(parts[0].coordinates[rows], part.coordinates[rows]) for part in parts)
    )
    return matrices if fits else []


def _arrays(
    models: Sequence[Model], aligned: Alignment | None
) -> tuple[dict[Key, tuple[Array, Estimate]], dict[str, dict[str, np.ndarray]]]:
    """Average the arrays that models share, those over latents aligned; and the labels of their axes, by assay."""
    arrays: dict[Key, tuple[Array, Estimate]] = {}
    labels: dict[str, dict[str, np.ndarray]] = {}
    for assay in dict.fromkeys(name for model in models for name in model.assays):
        places, results = zip(*((p, m.assays[assay]) for p, m in enumerate(models) if assay in m.assays), strict=True)
        order_MD = None if aligned is None else aligned.order_MD[[*places]]
        labelled = [_same_labels(results[0], other) for other in results]
        for name, array in results[0].arrays.items():
            is_error = name.endswith("_se") and name.removesuffix("_se") in results[0].arrays
            alike = (
                _is_like(array, other.arrays.get(name), axes) for other, axes in zip(results, labelled, strict=True)
            )
            if is_error or not averaged(array) or not all(alike):
                continue
            if {*array.axes} & LATENTS and not _covers_latents(array, results[0], order_MD):
                continue
            values_M = _in_order([other.arrays[name] for other in results], order_MD)
            errors_M = _errors(name, results, order_MD)
            arrays[assay, name] = array, estimate(values_M, errors_M)
            labels.setdefault(assay, {}).update({axis: results[0].coordinates[axis] for axis in array.axes})
    return arrays, labels


def _errors(name: str, results: Sequence[AssayResult], order_MD: np.ndarray | None) -> np.ndarray:
    """Return the standard errors of an array of models, with latents in the order of the reference; NaN for none."""
    array = results[0].arrays[name]
    missing = Array(np.full(array.values.shape, np.nan), array.axes)
    found = [result.arrays.get(f"{name}_se", missing) for result in results]
    if all(error is missing for error in found):
        return np.broadcast_to(missing.values, (len(results), *missing.values.shape))
    fitting = [error if averaged(error) and _has_form_of(array, error) else missing for error in found]
    return _in_order(fitting, order_MD)


def _same_labels(one: AssayResult, other: AssayResult) -> set[str]:
    """Return the axes, of those over which arrays are averaged, that have the same labels in two results."""
    shared = one.coordinates.keys() & other.coordinates.keys() & AXES
    return {axis for axis in shared if np.array_equal(one.coordinates[axis], other.coordinates[axis])}


def _is_like(array: Array, other: Array | None, axes: Set[str]) -> bool:
    """Return whether another model has an array in the same shape. axes: those with the same labels in both."""
    return other is not None and averaged(other) and axes >= {*array.axes} and _has_form_of(array, other)


def _has_form_of(array: Array, other: Array) -> bool:
    """Return whether two arrays have the same axes and shape."""
    return (array.axes, array.values.shape) == (other.axes, other.values.shape)


def _covers_latents(array: Array, result: AssayResult, order_MD: np.ndarray | None) -> bool:
    """Return whether the latents of an array are all of the model, as they are aligned; a selection has no order."""
    return order_MD is not None and all(
        np.array_equal(result.coordinates[axis], np.arange(order_MD.shape[1])) for axis in array.axes if axis in LATENTS
    )


def _in_order(arrays: Sequence[Array], order_MD: np.ndarray | None) -> np.ndarray:
    """Stack the values of models, with the latents of each of their axes in the order of the reference."""
    values_M = np.stack([array.values for array in arrays])
    for place, axis in enumerate(arrays[0].axes, start=1):
        if axis in LATENTS and order_MD is not None:
            others = tuple(other for other in range(1, values_M.ndim) if other != place)
            values_M = np.take_along_axis(values_M, np.expand_dims(order_MD, others), axis=place)
    return values_M

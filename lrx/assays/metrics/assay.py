"""Established disentanglement metrics of one model, on codes that are encoded once.

Each metric, its source and what it takes: lrx/metrics. Factors are those of a grid, or the labels of a data set that is
no grid. N images, D latents, F factors.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np
import torch
from torch import Tensor

from lrx.assays.metrics.left_out import metrics_left_out, remark_on, remark_on_values, remarkable, scores_left_out
from lrx.core.known_classes import KnownFactors, known_factors
from lrx.core.progress import passes_shown, step_of
from lrx.core.settings import AssaySettings, setting, stored
from lrx.core.text import did_you_mean, join_names
from lrx.core.types import Array, AssayResult
from lrx.core.validation import SettingError, check_choice
from lrx.metrics import catalog
from lrx.metrics.infomec import PRUNING
from lrx.metrics.information import quantile_bins
from lrx.metrics.mig import INFORMATION
from lrx.metrics.points import as_codes, num_to_train
from lrx.metrics.record import PRESETS, Points, Sizes
from lrx.metrics.trees import IMPORTANCE, TREES
from lrx.responses.encoding import encode_images, image_order
from lrx.responses.measurement import Measurement
from lrx.responses.stored_observations import as_numbers

SEED_LIMIT = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of the disentanglement metrics."""

    preset: str = setting(
        "study", "study: 10,000 + 5,000 points and votes (Locatello et al. 2019) | fast: a fifth of them"
    )
    only: list[str] | None = setting(None, "such as [mig, dci]; null: all that the images can serve")
    trees: str = setting(
        "lightgbm", "of dci: lightgbm | sklearn, which the study used, many times slower", choices=TREES
    )
    continuous: list[str] | None = setting(
        None, "factors that are values, not classes, such as [x, y]; null: what the data says"
    )
    information: str = setting(
        "quantiles", "of continuous factors, in mig: quantiles (bins) | neighbours (Kraskov)", choices=INFORMATION
    )
    pruning: str = setting(
        "range",
        "in infomec, latents below: range (1/20 of the largest, Hsu et al. 2023) | iqr (1/10, 2024) | none",
        choices=PRUNING,
    )
    batch_size: int | None = setting(None, "images per forward pass; null: what fits the memory", at_least=1)

    def check(self) -> None:
        """Check the names of preset and metrics."""
        check_choice("preset", self.preset, tuple(PRESETS))
        names = list(catalog.metrics())
        if self.only is not None and (not isinstance(self.only, list) or not self.only or set(self.only) - set(names)):
            wrong = [name for name in self.only if name not in names] if isinstance(self.only, list) else []
            near = did_you_mean(str(wrong[0]), names) if wrong else ""
            raise SettingError(f"only must be null or a list of {', '.join(names)}, not {self.only!r}{near}")


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Encode images once and score their codes against their known classes: factors of a grid, or labels.

    Every image counts once. What is learned is learned from the first images and tested on the others, in the ratio of
    num_train and num_test, also where the data set has fewer images; metrics that learn nothing take the first
    num_train of them, or all. The settings `num_images`, `num_train`, `num_test` and `num_points` say how many, and
    `remark` says where they are fewer than asked for.
    Factors with one value among the training images are left out by name, and so are metrics and scores that these
    images cannot serve (`lrx.assays.metrics.left_out`). Each metric has its own seed: its scores do not depend on
    which others are measured. A factor one of whose values is rare has little entropy, so that the gap of MIG and the
    balanced accuracies of SAP are noisy there.
    ValueError for data without classes or with one value of each, fewer than 4 images, a metric of `only` that the
    images cannot serve, or codes that are not finite.
    """
    known = _with_kinds(known_factors(m.dataset, "assay=metrics"), settings.continuous)
    sizes = PRESETS[settings.preset]
    total = sizes.num_train + sizes.num_test
    images = image_order(m.dataset, m.generator)[:total]
    seeds = _seeds(m.generator)
    factors_NF, columns, num_train = _varying_factors(known, images, sizes, m.dataset.name)
    factors, continuous_F = [known.names[column] for column in columns], np.array(known.is_continuous)[columns]
    points = Points(
        codes_ND=np.empty((len(images), 0)),
        classes_NF=_classes(factors_NF, continuous_F, sizes.bins),
        factors_NF=factors_NF,
        continuous_F=continuous_F,
        num_train=num_train,
        sizes=sizes,
        trees=settings.trees,
        num_threads=torch.get_num_threads(),
        information=settings.information,
        pruning=settings.pruning,
    )
    unserved = metrics_left_out(points, settings.only, m.dataset.name)
    names = [
        name for name in catalog.metrics() if name in (settings.only or catalog.metrics()) and name not in unserved
    ]
    with passes_shown(step_of(m.progress, 0, 1 + len(names)), len(images)):
        codes = encode_images(m.autoencoder, m.dataset, images, batch_size=m.batch_size)
    points = replace(points, codes_ND=as_numbers(codes))
    scores: dict[str, float] = {}
    arrays: dict[str, Array] = {}
    unfinished: list[str] = []
    for step, name in enumerate(names, start=1):
        step_of(m.progress, step, 1 + len(names))(0, 1)
        metric = catalog.metrics()[name]
        taken_F = metric.takes(points)
        measured = metric.measure(points.of(taken_F), torch.Generator().manual_seed(seeds[name]))
        scores.update(measured.scores)
        for key, array in measured.arrays.items():  # what an earlier metric has of more factors stays
            arrays.setdefault(key, _with_all_factors(array, taken_F))
        unfinished += [] if measured.converged else [name]
    step_of(m.progress, len(names), 1 + len(names))(1, 1)
    codes_ND = points.codes_ND
    rounded = np.flatnonzero((np.ptp(codes_ND, axis=0) > 0) & (np.ptp(as_codes(codes_ND), axis=0) == 0)).tolist()
    arrays["code_std"] = Array(codes_ND.std(axis=0, dtype=np.float64), ("latent",), "latent", "deviation of the codes")
    meaningless = scores_left_out(names, len(factors), m.dataset.name)
    values = np.array(factors)[continuous_F].tolist()
    notes = [remark_on(remarkable(unserved) | meaningless), remark_on_values(names, values)]
    return AssayResult(
        arrays=arrays,
        coordinates={"latent": np.arange(codes_ND.shape[1]), "factor": np.array(factors)},
        scores={name: value for name, value in scores.items() if name.removesuffix("_se") not in meaningless},
        settings=stored(
            settings,
            **vars(replace(sizes, num_train=num_train, num_test=len(images) - num_train)),
            only=None if settings.only is None else ", ".join(names),
            continuous=", ".join(values) or None,
            importance_type=IMPORTANCE,
            num_threads=points.num_threads,
            num_images=len(images),
            num_points=min(len(images), sizes.num_train),
            factors_left_out=", ".join(name for name in known.names if name not in factors) or None,
            metrics_left_out=", ".join(unserved) or None,
            scores_left_out=", ".join(meaningless) or None,
            not_converged=", ".join(unfinished) or None,
            remark=_remark(len(images), num_train, total, unfinished, rounded, notes),
            **_versions(settings.trees),
            batch_size=m.batch_size,
        ),
    )


def _remark(
    num_images: int, num_train: int, asked: int, unfinished: list[str], rounded: list[int], notes: list[str | None]
) -> str | None:
    """Return what a reader must know of images, fits and what is left out; None where there is nothing."""
    parts = notes.copy()
    if rounded:
        parts.insert(0, f"latents {join_names([*map(str, rounded)])} vary by rounding alone and count as constant")
    if unfinished:
        parts.insert(0, f"the fits of {', '.join(unfinished)} did not converge: these scores may be too low")
    if num_images < asked:
        test = f"tested on {num_images - num_train:,} others"
        parts.insert(0, f"{num_images:,} images, of {asked:,} asked for: learned from {num_train:,}, {test}")
    return "; ".join(part for part in parts if part) or None


def _seeds(generator: torch.Generator) -> dict[str, int]:
    """Return the seed of the draw of points and of each metric, which other metrics that there are do not change."""
    metrics = catalog.metrics()
    last = max(metric.position or 0 for metric in metrics.values())
    drawn = [int(torch.randint(SEED_LIMIT, (1,), generator=generator)) for _ in range(1 + last)]
    seeds = {"points": drawn[0]}
    for name, metric in metrics.items():
        named = (drawn[0] + zlib.crc32(name.encode())) % SEED_LIMIT
        seeds[name] = named if metric.position is None else drawn[metric.position]
    return seeds


def _with_kinds(known: KnownFactors, continuous: list[str] | None) -> KnownFactors:
    """Return the factors with those of these names as the continuous ones. SettingError for another name."""
    if continuous is None:
        return known
    unknown = [name for name in continuous if name not in known.names]
    if unknown:
        raise SettingError(f"continuous names {join_names(unknown)}; the factors are {join_names(known.names)}")
    return replace(known, is_continuous=tuple(name in continuous for name in known.names))


def _varying_factors(
    known: KnownFactors, images: Tensor, sizes: Sizes, dataset: str
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return factors (N, F) with two values among the training images, their columns, and how many images train.

    ValueError where no factor has two values, or as `lrx.metrics.points.num_to_train`.
    """
    values_NF = known.values(images).numpy()
    none = ValueError(f"assay=metrics needs a factor or label with two values, and {dataset} has none")
    if not np.ptp(values_NF, axis=0).any():
        raise none
    num_train = num_to_train(len(images), sizes.num_train, sizes.num_test)
    columns = np.flatnonzero(np.ptp(values_NF[:num_train], axis=0))
    if not len(columns):
        raise none
    return values_NF[:, columns], columns, num_train


def _classes(factors_NF: np.ndarray, continuous_F: np.ndarray, bins: int) -> np.ndarray:
    """Return factors as classes int64 (N, F), those of continuous ones being their quantile bins."""
    columns = [
        quantile_bins(column_N[:, None], bins)[:, 0] if continuous else np.unique(column_N, return_inverse=True)[1]
        for column_N, continuous in zip(factors_NF.T, continuous_F, strict=True)
    ]
    return np.stack(columns, axis=1).astype(np.int64)


def _with_all_factors(array: Array, taken_F: np.ndarray) -> Array:
    """Return an array of the factors that a metric takes with NaN for all others."""
    if "factor" not in array.axes or taken_F.all():
        return array
    axis = array.axes.index("factor")
    shape = list(array.values.shape)
    shape[axis] = len(taken_F)
    values = np.full(shape, np.nan)
    np.moveaxis(values, axis, 0)[taken_F] = np.moveaxis(array.values, axis, 0)
    return replace(array, values=values)


def _versions(trees: str) -> dict[str, str | None]:
    """Return the versions of the libraries that fit the classifiers."""
    return {
        "scikit_learn": version("scikit-learn"),
        "scipy": version("scipy"),
        "lightgbm": version("lightgbm") if trees == "lightgbm" else None,
    }

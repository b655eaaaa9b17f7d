"""Established disentanglement metrics of one model, on codes that are encoded once.

Each metric, its source and what it takes: lrx/metrics. Factors are those of a grid, or the labels of a data set that is
no grid. M images encoded, N points of a metric, D latents, F factors.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import torch
from torch import Tensor

from lrx.core.known_classes import KnownClasses, known_classes
from lrx.core.settings import Checked, setting, stored
from lrx.core.types import Array, AssayResult
from lrx.core.validation import SettingError, check_choice
from lrx.metrics import catalog
from lrx.metrics.dci import IMPORTANCE, TREES
from lrx.metrics.points import singleton_fraction
from lrx.metrics.record import PRESETS, Points
from lrx.responses.encoding import encode_images, image_order
from lrx.responses.measurement import Measurement

SEED_LIMIT = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Settings(Checked):
    """Settings of the disentanglement metrics."""

    preset: str = setting(
        "study", "study: 10,000 + 5,000 points and votes (Locatello et al. 2019) | fast: a fifth of them"
    )
    only: list[str] | None = setting(None, "such as [mig, dci]; null: all that the images can serve")
    trees: str = setting(
        "lightgbm", "of dci: lightgbm | sklearn, which the study used, many times slower", choices=TREES
    )
    batch_size: int | None = setting(None, "images per forward pass; null: what fits the memory", at_least=1)

    def check(self) -> None:
        """Check the names of preset and metrics."""
        check_choice("preset", self.preset, tuple(PRESETS))
        names = list(catalog.metrics())
        if self.only is not None and (not isinstance(self.only, list) or not self.only or set(self.only) - set(names)):
            raise SettingError(f"only must be null or a list of {', '.join(names)}, not {self.only!r}")


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Encode images once and score their codes against their known classes: factors of a grid, or labels.

    A data set with fewer images than num_train + num_test is encoded completely, and the points are drawn from it with
    replacement, as the study always draws them: training and test points then share images. Factors with one value
    among the training points are left out by name, and so are metrics that compare images which share a class, where
    too many images have a class of their own (`_unserved`). Each metric has its own seed: its scores do not depend on
    which others are measured. A factor one of whose values is rare has little entropy, so that the gap of MIG and the
    balanced accuracies of SAP are noisy there.
    ValueError for data without classes or with one value of each, a metric of `only` that the images cannot serve, or
    codes that are not finite.
    """
    known = known_classes(m.dataset, "assay=metrics")
    sizes = PRESETS[settings.preset]
    total = sizes.num_train + sizes.num_test
    images = image_order(m.dataset, m.generator)[:total]
    seeds = _seeds(m.generator)
    rows_N = _rows(len(images), total, seeds["points"])
    classes_MF, factors = _varying_classes(known, images, rows_N[: sizes.num_train], m.dataset.name)
    unserved = _unserved(classes_MF, sizes.eval_votes, settings.only or [], m.dataset.name)
    asked = settings.only or catalog.metrics()
    names = [name for name in catalog.metrics() if name in asked and name not in unserved]

    m.progress(0, 1 + len(names))
    codes_MD = encode_images(m.autoencoder, m.dataset, images, batch_size=m.batch_size).cpu().numpy()
    points = Points(
        pool_MD=codes_MD,
        pool_classes_MF=classes_MF,
        codes_ND=codes_MD[rows_N],
        classes_NF=classes_MF[rows_N],
        sizes=sizes,
        trees=settings.trees,
        num_threads=torch.get_num_threads(),
    )
    scores: dict[str, float] = {}
    arrays: dict[str, Array] = {}
    for step, name in enumerate(names, start=1):
        m.progress(step, 1 + len(names))
        measured = catalog.metrics()[name].measure(points, torch.Generator().manual_seed(seeds[name]))
        scores.update(measured.scores)
        arrays.update(measured.arrays)
    m.progress(1 + len(names), 1 + len(names))
    arrays["code_std"] = Array(codes_MD.std(axis=0, dtype=np.float64), ("latent",), "latent", "deviation of the codes")
    return AssayResult(
        arrays=arrays,
        coordinates={"latent": np.arange(codes_MD.shape[1]), "factor": np.array(factors)},
        scores=scores,
        settings=stored(
            settings,
            **vars(sizes),
            only=None if settings.only is None else ", ".join(names),
            importance_type=IMPORTANCE,
            num_threads=points.num_threads,
            num_images=len(images),
            with_replacement=len(images) < total,
            factors_left_out=", ".join(name for name in known.names if name not in factors) or None,
            metrics_left_out=", ".join(unserved) or None,
            **_versions(settings.trees),
            batch_size=m.batch_size,
        ),
    )


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


def _rows(num_images: int, total: int, seed: int) -> np.ndarray:
    """Return the image of each point, int64 (N,): all of them once, or of too few images a draw with replacement."""
    if num_images == total:
        return np.arange(total)
    return torch.randint(num_images, (total,), generator=torch.Generator().manual_seed(seed)).numpy()


def _varying_classes(
    known: KnownClasses, images: Tensor, train_rows: np.ndarray, dataset: str
) -> tuple[np.ndarray, list[str]]:
    """Return the classes (M, F) of the factors with two values among the training points, and their names."""
    classes_MF = known.classes(images).numpy()
    varying = np.flatnonzero(np.ptp(classes_MF[train_rows], axis=0))
    if not len(varying):
        raise ValueError(f"assay=metrics needs a factor or label with two values, and {dataset} has none")
    return classes_MF[:, varying], [known.names[factor] for factor in varying]


def _unserved(classes_MF: np.ndarray, eval_votes: int, only: list[str], dataset: str) -> list[str]:
    """Return the metrics whose votes these images cannot serve: none, or those that compare images of one class.

    A vote of an image whose class no other image has holds that image only and carries no information. Such votes are
    tolerated while they change the score by less than its standard error, which is at most 1 / 2 sqrt(votes).
    SettingError when `only` asks for one of these metrics.
    """
    share = singleton_fraction(classes_MF)
    if share <= 0.5 / math.sqrt(eval_votes):
        return []
    voting = [name for name, metric in catalog.metrics().items() if metric.votes]
    asked = [name for name in only if name in voting]
    if asked:
        raise SettingError(
            f"only={','.join(asked)} compares images that share a class, and {share:.0%} of the classes of "
            f"{len(classes_MF)} images of {dataset} are of one image alone; leave it out of only"
        )
    return [] if only else voting


def _versions(trees: str) -> dict[str, str | None]:
    """Return the versions of the libraries that fit the classifiers."""
    return {
        "scikit_learn": version("scikit-learn"),
        "scipy": version("scipy"),
        "lightgbm": version("lightgbm") if trees == "lightgbm" else None,
    }

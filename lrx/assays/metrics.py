"""The established disentanglement metrics of one model, on codes that are encoded once.

Each metric and its source: lrx/metrics/. Sizes are those of Locatello et al. 2019 (arXiv 1811.12359), or a fifth of
them. M images encoded, N points of a metric, D latents, F factors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import torch

from lrx.codes import encode_images, fitting_batch_size, image_order
from lrx.metrics.betavae import betavae
from lrx.metrics.dci import IMPORTANCE, TREES, dci
from lrx.metrics.factorvae import factorvae
from lrx.metrics.irs import irs
from lrx.metrics.mig import mig
from lrx.metrics.modularity import explicitness, modularity
from lrx.metrics.sap import sap
from lrx.metrics.unsupervised import unsupervised
from lrx.types import Array, AssayResult, Autoencoder, Dataset, with_factors


@dataclass(frozen=True)
class Preset:
    """Sizes of the metrics. Metrics without training take `num_train` points."""

    num_train: int
    num_test: int
    train_votes: int
    eval_votes: int
    points_per_vote: int = 64
    bins: int = 20
    dead_below: float = 0.05
    sap_penalty: float = 0.01
    irs_quantile: float = 0.99


PRESETS = {
    "study": Preset(num_train=10_000, num_test=5_000, train_votes=10_000, eval_votes=5_000),
    "fast": Preset(num_train=2_000, num_test=1_000, train_votes=2_000, eval_votes=1_000),
}
LATENT_FACTOR = ("latent", "factor")


@dataclass(frozen=True)
class Points:
    """The M encoded images, for metrics that draw votes; the N points of the others; and how trees are grown."""

    pool_MD: np.ndarray
    pool_classes_MF: np.ndarray
    codes_ND: np.ndarray
    classes_NF: np.ndarray
    preset: Preset
    trees: str
    num_threads: int


Measured = tuple[Mapping[str, float], Mapping[str, Array]]


def metrics(
    autoencoder: Autoencoder,
    dataset: Dataset,
    generator: torch.Generator,
    *,
    preset: str,
    only: list[str] | None,
    trees: str,
    batch_size: int | None,
    progress: Callable[[int, int], None] | None = None,
) -> AssayResult:
    """Encode images once and score their codes.

    preset: `study` or `fast`, the sizes in PRESETS.
    only: the metrics to compute (see METRICS), None for all; a metric's score does not depend on the others.
    trees: `lightgbm` or `sklearn`, for dci.
    batch_size: images per forward pass, None for one that fits the memory; changes no result beyond rounding.
    progress: called with the steps done and their number; the first is the encoding, then each metric.

    A data set with fewer images than num_train + num_test is encoded whole, and the points are drawn from it with
    replacement, as the study draws them always: training and test points then share images. Factors with one value
    are left out by name. Scores that have no standard error: dci_disentanglement, dci_completeness, irs.
    ValueError for a setting out of range, data without a factor that varies, or codes that are not finite.
    """
    _check(preset, only, trees, batch_size)
    known = with_factors(dataset, "assay=metrics")
    varied = [factor for factor, size in enumerate(known.factors.sizes) if size > 1]
    if not varied:
        raise ValueError(f"assay=metrics needs a factor with two values, and {dataset.name} has none")
    chosen = [name for name in METRICS if only is None or name in only]
    sizes = PRESETS[preset]
    total = sizes.num_train + sizes.num_test
    report = progress or (lambda done, steps: None)

    images = image_order(dataset, generator)[:total]
    seeds = {name: int(torch.randint(2**31 - 1, (1,), generator=generator)) for name in ("points", *METRICS)}
    report(0, 1 + len(chosen))
    batch_size = batch_size or fitting_batch_size(dataset.observation_shape)
    codes_MD = encode_images(autoencoder, dataset, images, batch_size=batch_size).cpu().numpy()
    classes_MF = known.factors.classes(images)[:, varied].numpy()
    rows_N = np.arange(total) if len(images) == total else _again(len(images), total, seeds["points"])
    num_threads = torch.get_num_threads()
    points = Points(codes_MD, classes_MF, codes_MD[rows_N], classes_MF[rows_N], sizes, trees, num_threads)

    scores: dict[str, float] = {}
    arrays: dict[str, Array] = {}
    for step, name in enumerate(chosen, start=1):
        report(step, 1 + len(chosen))
        measured, matrices = METRICS[name](points, torch.Generator().manual_seed(seeds[name]))
        scores.update(measured)
        arrays.update(matrices)
    report(1 + len(chosen), 1 + len(chosen))
    names = [known.factors.names[factor] for factor in varied]
    arrays["code_std"] = Array(codes_MD.std(axis=0, dtype=np.float64), ("latent",), "latent", "deviation of the codes")
    return AssayResult(
        arrays=arrays,
        coordinates={"latent": np.arange(codes_MD.shape[1]), "factor": np.array(names)},
        scores=scores,
        settings={
            "preset": preset,
            **vars(sizes),
            "only": None if only is None else ", ".join(chosen),
            "trees": trees,
            "importance_type": IMPORTANCE,
            "num_threads": num_threads,
            "num_images": len(images),
            "with_replacement": len(images) < total,
            "factors_left_out": ", ".join(name for name in known.factors.names if name not in names) or None,
            "scikit_learn": version("scikit-learn"),
            "scipy": version("scipy"),
            "lightgbm": version("lightgbm") if trees == "lightgbm" else None,
            "batch_size": batch_size,
        },
    )


def _again(images: int, total: int, seed: int) -> np.ndarray:
    return torch.randint(images, (total,), generator=torch.Generator().manual_seed(seed)).numpy()


def _mig(points: Points, generator: torch.Generator) -> Measured:
    first = points.preset.num_train
    found = mig(points.codes_ND[:first], points.classes_NF[:first], bins=points.preset.bins)
    arrays = {
        "mutual_information": _information(found.mutual_information_DF),
        "mig_gap": Array(found.gap_F, ("factor",), "1", "gap of information of the two best latents, over entropy"),
    }
    return {"mig": found.mig, "mig_se": found.mig_se}, arrays


def _dci(points: Points, generator: torch.Generator) -> Measured:
    found = dci(
        points.codes_ND,
        points.classes_NF,
        num_train=points.preset.num_train,
        trees=points.trees,
        num_threads=points.num_threads,
        generator=generator,
    )
    scores = {
        "dci_disentanglement": found.disentanglement,
        "dci_completeness": found.completeness,
        "dci_informativeness": found.informativeness,
        "dci_informativeness_se": found.informativeness_se,
    }
    description = f"importance of a latent in trees ({points.trees}) that predict the factor, a factor's sum being 1"
    accuracy = Array(found.accuracy_F, ("factor",), "1", "test accuracy of the trees")
    return scores, {
        "dci_importance": Array(found.importance_DF, LATENT_FACTOR, "1", description),
        "dci_accuracy": accuracy,
    }


def _sap(points: Points, generator: torch.Generator) -> Measured:
    sizes = points.preset
    given = points.codes_ND, points.classes_NF
    found = sap(*given, num_train=sizes.num_train, penalty=sizes.sap_penalty, generator=generator)
    accuracy = Array(found.accuracy_DF, LATENT_FACTOR, "1", "test accuracy of a linear classifier on one latent")
    return {"sap": found.sap, "sap_se": found.sap_se}, {"sap_accuracy": accuracy}


def _factorvae(points: Points, generator: torch.Generator) -> Measured:
    sizes = points.preset
    found = factorvae(
        points.pool_MD,
        points.pool_classes_MF,
        train_votes=sizes.train_votes,
        eval_votes=sizes.eval_votes,
        points_per_vote=sizes.points_per_vote,
        dead_below=sizes.dead_below,
        generator=generator,
    )
    scores = {
        "factorvae": found.factorvae,
        "factorvae_se": found.factorvae_se,
        "factorvae_latents_kept": float(found.num_active),
    }
    return scores, {"factorvae_votes": Array(found.votes_DF, LATENT_FACTOR, "1", "training votes for the latent")}


def _betavae(points: Points, generator: torch.Generator) -> Measured:
    sizes = points.preset
    found = betavae(
        points.pool_MD,
        points.pool_classes_MF,
        train_votes=sizes.train_votes,
        eval_votes=sizes.eval_votes,
        pairs_per_vote=sizes.points_per_vote,
        generator=generator,
    )
    return {"betavae": found.betavae, "betavae_se": found.betavae_se}, {}


def _irs(points: Points, generator: torch.Generator) -> Measured:
    first, sizes = points.preset.num_train, points.preset
    found = irs(points.codes_ND[:first], points.classes_NF[:first], quantile=sizes.irs_quantile)
    description = "1 - deviation of a latent while a factor is fixed, over its largest deviation"
    return {"irs": found.irs}, {"irs_matrix": Array(found.irs_DF, LATENT_FACTOR, "1", description)}


def _modularity(points: Points, generator: torch.Generator) -> Measured:
    first, sizes = points.preset.num_train, points.preset
    found = modularity(points.codes_ND[:first], points.classes_NF[:first], bins=sizes.bins, generator=generator)
    scores = {
        "modularity": found.modularity,
        "modularity_se": found.modularity_se,
        "modularity_latents_kept": float(found.num_informed),
    }
    return scores, {"mutual_information": _information(found.mutual_information_DF)}


def _explicitness(points: Points, generator: torch.Generator) -> Measured:
    found = explicitness(points.codes_ND, points.classes_NF, num_train=points.preset.num_train)
    auc = Array(found.auc_F, ("factor",), "1", "mean AUC over the factor's values, of a logistic regression")
    return {"explicitness": found.explicitness, "explicitness_se": found.explicitness_se}, {"explicitness_auc": auc}


def _unsupervised(points: Points, generator: torch.Generator) -> Measured:
    found = unsupervised(points.codes_ND[: points.preset.num_train], bins=points.preset.bins)
    return found._asdict(), {}


def _information(matrix_DF: np.ndarray) -> Array:
    return Array(matrix_DF, LATENT_FACTOR, "nat", "mutual information of the binned latent and the factor")


METRICS: dict[str, Callable[[Points, torch.Generator], Measured]] = {
    "mig": _mig,
    "dci": _dci,
    "sap": _sap,
    "factorvae": _factorvae,
    "betavae": _betavae,
    "irs": _irs,
    "modularity": _modularity,
    "explicitness": _explicitness,
    "unsupervised": _unsupervised,
}


def _check(preset: str, only: list[str] | None, trees: str, batch_size: int | None) -> None:
    for key, value, choices in (("preset", preset, tuple(PRESETS)), ("trees", trees, TREES)):
        if value not in choices:
            raise ValueError(f"assay.{key} must be one of {', '.join(choices)}, not {value!r}")
    if only is not None and (not isinstance(only, list) or not only or not set(only) <= set(METRICS)):
        raise ValueError(f"assay.only must be null or a list of {', '.join(METRICS)}, not {only!r}")
    whole = isinstance(batch_size, int) and not isinstance(batch_size, bool) and batch_size >= 1
    if batch_size is not None and not whole:
        raise ValueError(f"assay.batch_size must be null or a whole number of at least 1, not {batch_size!r}")

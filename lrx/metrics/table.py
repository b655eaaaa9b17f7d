"""The table of metrics by name: what each takes of the points, and what it gives to a result; and sizes for all.

Sizes are those of Locatello et al. 2019 (arXiv 1811.12359), or a fifth of them. M images encoded, N points of a metric,
D latents, F factors or labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from lrx.core.types import Array
from lrx.metrics.betavae import betavae
from lrx.metrics.dci import dci
from lrx.metrics.factorvae import factorvae
from lrx.metrics.irs import irs
from lrx.metrics.mig import mig
from lrx.metrics.modularity import explicitness, modularity
from lrx.metrics.sap import sap
from lrx.metrics.unsupervised import unsupervised


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
VOTING = ("factorvae", "betavae")  # those that draw images which share a class from the pool

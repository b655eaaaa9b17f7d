"""Metrics and scores that these images cannot serve, each with the reason, and the remark that names them.

N images, F factors or labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lrx.core.text import join_names
from lrx.core.validation import SettingError
from lrx.metrics import catalog
from lrx.metrics.points import singleton_fraction

MOST_ALONE = 0.1  # share of images without a partner up to which votes, which leave these out, are drawn


def metrics_left_out(
    classes_NF: np.ndarray, num_train: int, only: Sequence[str] | None, dataset: str
) -> dict[str, str]:
    """Return the reason by the name of each metric that is not measured.

    Votes compare images that share a class: they are not drawn where more than a tenth of the training or test images
    share none. Metrics that compare factors say nothing of one.
    SettingError when `only` asks for one of them.
    """
    alone = max(singleton_fraction(part) for part in (classes_NF[:num_train], classes_NF[num_train:]))
    of_images = f"{alone:.0%} of the classes of {len(classes_NF)} images of {dataset} are of one image alone"
    reasons: dict[str, str] = {}
    for name, metric in catalog.metrics().items():
        if classes_NF.shape[1] == 1 and all(score.compares_factors for score in metric.scores.values()):
            reasons[name] = f"compares factors, and {dataset} has one"
        elif metric.votes and alone > MOST_ALONE:
            reasons[name] = f"compares images that share a class, and {of_images}"
    for name in only or []:
        if name in reasons:
            raise SettingError(f"only={name} {reasons[name]}; leave it out of only")
    return {} if only else reasons


def scores_left_out(names: Sequence[str], num_factors: int, dataset: str) -> dict[str, str]:
    """Return the reason by the name of each score of these metrics that says nothing of so many factors."""
    if num_factors > 1:
        return {}
    scores = {name: score for metric in names for name, score in catalog.metrics()[metric].scores.items()}
    return {
        name: f"compares factors, and {dataset} has one" for name, score in scores.items() if score.compares_factors
    }


def remark_on(left_out: Mapping[str, str]) -> str | None:
    """Return the remark that names what is left out, by its reason; None where nothing is."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        by_reason.setdefault(reason, []).append(name)
    parts = [f"left out {join_names(names)}: each {reason}" for reason, names in by_reason.items()]
    return "; ".join(parts) or None

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
from lrx.metrics.record import Points

MOST_ALONE = 0.1  # share of images without a partner up to which votes, which leave these out, are drawn


def metrics_left_out(points: Points, only: Sequence[str] | None, dataset: str) -> dict[str, str]:
    """Return the reason by the name of each metric that is not measured.

    Votes compare images that share a class: they are not drawn where more than a tenth of the training or test images
    share none. Metrics that compare factors say nothing of one. Metrics of classes take no continuous factors.
    SettingError when `only` asks for one of them.
    """
    reasons: dict[str, str] = {}
    for name, metric in catalog.metrics().items():
        classes_NF = points.classes_NF[:, metric.takes(points)]
        if not classes_NF.shape[1]:
            kind = "classes of two values" if metric.factors == "binary" else "classes"
            reasons[name] = f"takes {kind}, and {dataset} has none"
            continue
        alone = max(singleton_fraction(part) for part in np.split(classes_NF, [points.num_train]))
        of_images = f"{alone:.0%} of the classes of {len(classes_NF)} images of {dataset} are of one image alone"
        if classes_NF.shape[1] == 1 and all(score.compares_factors for score in metric.scores.values()):
            which = " that are classes" if points.classes_NF.shape[1] > 1 else ""
            reasons[name] = f"compares factors{which}, and {dataset} has one"
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


def remarkable(left_out: Mapping[str, str]) -> dict[str, str]:
    """Return the reasons that a reader must know: not that data without binary attributes has no score of them."""
    metrics = catalog.metrics()
    return {name: reason for name, reason in left_out.items() if metrics[name].factors != "binary"}


def remark_on(left_out: Mapping[str, str]) -> str | None:
    """Return the remark that names what is left out, by its reason; None where nothing is."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        by_reason.setdefault(reason, []).append(name)
    parts = [f"left out {join_names(names)}: each {reason}" for reason, names in by_reason.items()]
    return "; ".join(parts) or None


def remark_on_values(names: Sequence[str], continuous: Sequence[str]) -> str | None:
    """Return the remark that names the metrics which take classes, and the continuous factors that they are without."""
    metrics = catalog.metrics()
    of_classes = [name for name in names if metrics[name].factors != "any"]
    if not of_classes or not continuous:
        return None
    return f"{join_names(of_classes)} take classes: they are without {join_names(continuous)}"

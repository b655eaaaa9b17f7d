"""Catalog of the metrics: the records `METRIC` of the files in lrx/metrics, without torch or scikit-learn."""

from __future__ import annotations

import functools
import importlib
import math
import pkgutil

import lrx.metrics
from lrx.metrics.record import Metric, Score


@functools.cache
def metrics() -> dict[str, Metric]:
    """Return the records of all metrics by name, in the order of reports."""
    names = [f"lrx.metrics.{module.name}" for module in pkgutil.iter_modules(lrx.metrics.__path__)]
    modules = [importlib.import_module(name) for name in names if name != __name__]
    records = [module.METRIC for module in modules if hasattr(module, "METRIC")]
    records.sort(key=lambda metric: (metric.position or math.inf, metric.name))
    return {metric.name: metric for metric in records}


def scores() -> dict[str, Score]:
    """Return the scores of all metrics by name, in the order of reports."""
    return {name: score for metric in metrics().values() for name, score in metric.scores.items()}

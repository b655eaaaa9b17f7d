"""Estimates with their standard errors, as arrays and scores of a result: `x` and `x_se`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from lrx.core.types import Array


class Estimate(NamedTuple):
    """Values (...) and their standard errors over images (...), with the unit and what they are in words."""

    value: np.ndarray
    se: np.ndarray
    description: str
    unit: str = "1"

    def where(self, condition: np.ndarray) -> Estimate:
        """Return the estimate where a condition (...) holds, NaN elsewhere."""
        value, se = (np.where(condition, values, np.nan) for values in self[:2])
        return self._replace(value=value, se=se)


def as_arrays(estimates: Mapping[str, Estimate], axes: tuple[str, ...]) -> dict[str, Array]:
    """Return the arrays of estimates by name, and of their errors; one of fewer dimensions has the first axes."""
    arrays: dict[str, Array] = {}
    for name, estimate in estimates.items():
        own = axes[: estimate.value.ndim]
        arrays[name] = Array(estimate.value, own, estimate.unit, estimate.description)
        arrays[f"{name}_se"] = Array(estimate.se, own, estimate.unit, f"standard error of {name}, over images")
    return arrays


def as_scores(pairs: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Return scalars and their errors by name as scores `x` and `x_se`."""
    values = {name: float(pair[0]) for name, pair in pairs.items()}
    return values | {f"{name}_se": float(pair[1]) for name, pair in pairs.items()}

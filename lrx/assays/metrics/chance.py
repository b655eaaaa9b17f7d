"""Chance levels of scores of a result of the assay `metrics`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lrx.core.types import AssayResult
    from lrx.metrics.record import Score


def chance_of(score: Score, result: AssayResult) -> float | None:
    """Return the value of a score for codes without information; None where its record states none, or NaN where the
    result lacks the score that measures it."""
    if score.chance == "1/F":
        classes = num_class_factors(result)
        return 1 / classes if classes else None
    return result.scores.get(score.chance, math.nan) if isinstance(score.chance, str) else score.chance


def num_class_factors(result: AssayResult) -> int:
    """Return the number of factors that are classes, which FactorVAE and BetaVAE alone take: not continuous ones."""
    continuous = str(result.settings.get("continuous") or "").split(", ")
    return sum(str(name) not in continuous for name in result.coordinates.get("factor", ()))

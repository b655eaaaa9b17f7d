"""Summary of a result: the answer to its assay's question in one sentence, and what is doubtful about it.

An assay has a file `summary.py` beside its description, with a function `summarize(result)` that makes both from the
numbers by rules; without it the sentence gives the main scores. Report and terminal take them from here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from lrx.assays import catalog
from lrx.core import rounding
from lrx.core.text import humanize, join_names

if TYPE_CHECKING:  # results are summarised without torch
    from lrx.core.types import AssayResult

CLEAR = 2.0  # standard errors of a difference that is called one
MOST_NAMES = 12  # latents or factors that a sentence lists


@dataclass(frozen=True)
class Summary:
    """Answer to the question of an assay, one sentence with its numbers; doubts: a sentence each."""

    sentence: str
    doubts: tuple[str, ...] = ()


def summarize(name: str, result: AssayResult) -> Summary:
    """Return the summary of a result of an assay; of a foreign assay, or an empty result, an empty one.

    Where a file lacks what the rules need, as one of another version may, the sentence gives the main scores.
    """
    of_assay = cast("Callable[[AssayResult], Summary] | None", catalog.function_of(name, "summary", "summarize"))
    if of_assay is not None and not result.is_empty:
        try:
            return of_assay(result)
        except (KeyError, IndexError, ValueError, TypeError, OverflowError):  # arrays of a file may be of any kind
            pass
    return Summary(_main_scores(name, result))


def estimate(result: AssayResult, score: str) -> str:
    """Write a score with its error. KeyError where the result lacks it."""
    return rounding.estimate(result.scores[score], result.scores.get(f"{score}_se"))


def count(result: AssayResult, score: str) -> str:
    """Write a score that is a count, with an error of one digit if it has one. KeyError where the result lacks it."""
    error = result.scores.get(f"{score}_se", 0.0)
    return f"{result.scores[score]:.0f}" + (f" ± {error:.1g}" if error > 0 else "")


def share(result: AssayResult, score: str) -> str:
    """Write a score that is a share as a percentage with its error. KeyError where the result lacks it."""
    return rounding.share(result.scores[score], result.scores.get(f"{score}_se"))


def difference(result: AssayResult, score: str, other: str) -> float:
    """Return the difference of two scores of a result in its standard errors, errors taken as independent; infinite
    without errors. KeyError where the result lacks one."""
    step = result.scores[score] - result.scores[other]
    error = math.hypot(*(result.scores.get(f"{name}_se", 0.0) for name in (score, other)))
    return step / error if error > 0 else math.copysign(math.inf, step) if step else 0.0


def listed(names: Sequence[object]) -> str:
    """Write names as a list, of many the first ones."""
    return join_names([humanize(str(name)) for name in names], MOST_NAMES)


def _main_scores(name: str, result: AssayResult) -> str:
    description = catalog.describe(name)
    shown = [score for score in (description.main_scores if description else ()) if score in result.scores]
    if not shown:
        return ""
    sentence = "; ".join(f"{humanize(score)} {estimate(result, score)}" for score in shown)
    return f"{sentence[0].upper()}{sentence[1:]}."

"""Summary of a result of the assay `response_map`: how much of the maps contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrx.assays.summary import Summary, share
from lrx.core import rounding

if TYPE_CHECKING:
    from lrx.core.types import AssayResult


def summarize(result: AssayResult) -> Summary:
    """Return the share of the first map that contracts, and its median divergence."""
    scores, pairs = result.scores, int(result.scores["num_pairs"])
    first, second = (int(scores[f"{name}_latent"]) for name in ("first", "second"))
    where = f"the map of latents {first} and {second}" if pairs == 1 else f"{pairs} maps of two latents"
    median, error = scores["divergence_median"], scores.get("divergence_error_median", 0.0)
    sentence = (
        f"Responses contract on {share(result, 'contracting')} of {where}, with a median divergence of "
        f"{rounding.estimate(median)} (-2: a flat basin)."
    )
    doubts = []
    left_out = result.settings.get("pairs_left_out")
    if left_out:
        doubts.append(f"The response map shows {pairs} of {pairs + int(left_out)} pairs of latents.")
    if abs(median) < error:
        doubts.append(f"The median divergence, {median:.2g}, is within its error of differences, {error:.2g}.")
    return Summary(sentence, tuple(doubts))

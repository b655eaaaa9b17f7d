"""Summary of a result of the assay `manifold`: the directions that survive, and holes of the prior."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrx.assays.summary import Summary, estimate, share

if TYPE_CHECKING:
    from lrx.core.types import AssayResult

APART = 1.5  # ratio of two counts of directions that do not agree


def summarize(result: AssayResult) -> Summary:
    """Return the directions that survive at codes and at draws of the prior, and the share of holes."""
    latents = result.arrays["z_prior"].values.shape[1]
    kind = "dimension" if "mean_dimension_posterior" in result.scores else "participation"
    rule = f"singular value above {result.settings['threshold']:g}" if kind == "dimension" else "participation ratio"
    codes, prior = (estimate(result, f"mean_{kind}_{source}") for source in ("posterior", "prior"))
    sentence = (
        f"{codes} of {latents} directions survive at codes of images ({rule}) and {prior} at draws from the prior, of "
        f"which {share(result, 'holes_by_magnitude')} move further than nearly all codes: holes."
    )
    return Summary(sentence, _doubts(result, kind))


def _doubts(result: AssayResult, kind: str) -> tuple[str, ...]:
    """Return that the count depends on its threshold, where weights of all directions give another."""
    if kind != "dimension" or result.scores["mean_participation_posterior"] <= 0:
        return ()
    counted, weighted = (result.scores[f"mean_{name}_posterior"] for name in ("dimension", "participation"))
    if counted <= APART * weighted:
        return ()
    return (
        f"The number of directions depends on its threshold: {estimate(result, 'mean_dimension_posterior')} are above "
        f"{result.settings['threshold']:g}, and weighted by size they are as "
        f"{estimate(result, 'mean_participation_posterior')} equal ones.",
    )

"""Summary of a result of the assay `latent_graph`: how many pairs of latents move each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lrx.assays.summary import Summary, count, share

if TYPE_CHECKING:
    from lrx.core.types import AssayResult

STABLE = 0.9  # share of replicates with an edge, below which it is doubtful


def summarize(result: AssayResult) -> Summary:
    """Return how many of the pairs of informative latents move each other, or one way."""
    nodes = int(result.scores["num_informative"])
    if nodes < 2:
        return Summary(
            f"There are no pairs to compare: {nodes} latent{'' if nodes == 1 else 's'} respond to themselves."
        )
    both, single = (count(result, f"num_{kind}") for kind in ("bidirectional", "unidirectional"))
    thresholds = [f"{result.settings[f'{kind}directional']:g}" for kind in ("bi", "uni")]
    sentence = (
        f"Of {math.comb(nodes, 2)} pairs of the {nodes} informative latents {both} move each other (both responses "
        f"above {thresholds[0]}), and {single} one way alone (above {thresholds[1]})"
    )
    stability = result.scores["mean_stability"]
    if math.isnan(stability):
        return Summary(f"{sentence}.")
    agree = f"replicates of the bootstrap agree on {share(result, 'mean_stability')} of these edges"
    doubts = (f"Edges of the latent graph are not certain: {agree}.",) if stability < STABLE else ()
    return Summary(f"{sentence}; {agree}.", doubts)

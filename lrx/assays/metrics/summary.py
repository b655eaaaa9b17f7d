"""Summary of a result of the assay `metrics`: where the main scores lie between chance and 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lrx.assays.metrics.chance import chance_of
from lrx.assays.summary import Summary, estimate
from lrx.metrics import catalog

if TYPE_CHECKING:
    from lrx.core.types import AssayResult

MAIN = ("mig", "dci_disentanglement", "factorvae")
OTHERS = ("sap", "mcc_spearman", "infom", "r2_boosted", "tad")  # where the main ones were not asked for


def summarize(result: AssayResult) -> Summary:
    """Return main scores with their chance, and whether they are nearer to it or to 1."""
    scores = [name for name in MAIN if name in result.scores] or [name for name in OTHERS if name in result.scores]
    known, parts, places = catalog.scores(), [], []
    for name in scores:
        chance = chance_of(known[name], result)
        low = 0.0 if chance is None or math.isnan(chance) else chance
        parts.append(f"{known[name].label} {estimate(result, name)}" + (f" (chance {low:.2g})" if low else ""))
        if low < 1 and known[name].range is not None:
            places.append((result.scores[name] - low) / (1 - low))
    sentence = "; ".join(parts)
    if places and max(places) < 0.5:
        sentence += ": nearer to chance than to 1, so that factors are mixed over latents"
    elif places and min(places) >= 0.5:
        sentence += ": nearer to 1 than to chance, so that factors are apart in the latents"
    elif places:
        sentence += ": the metrics disagree"
    return Summary(f"{sentence}.")

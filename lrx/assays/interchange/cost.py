"""Cost of the assay `interchange`: its passes through the model, not the training of the reader."""

from __future__ import annotations

from lrx.assays.interchange.assay import Settings
from lrx.responses.conditioned import varying_factors
from lrx.responses.cost import DOUBLE, Cost, conditioned_cost
from lrx.responses.encoding import num_drawn
from lrx.responses.measurement import Measurement


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the conditioned responses of factors without given latents, and the exchanged codes of each factor."""
    factors, varying = varying_factors(m.dataset, "assay=interchange")
    measured = [factor for factor in varying if factors.names[factor] not in (settings.latents or {})]
    pairs = min(settings.num_pairs, num_drawn(m.dataset) // 2)
    counted = conditioned_cost(m, factors, measured, num_groups=settings.num_groups, max_pairs=settings.max_pairs)
    return counted + Cost(
        encoded=2 * pairs,
        decoded=pairs * (len(varying) + 2),
        memory={f"codes of {pairs:,} pairs": 4 * DOUBLE * pairs * m.num_latents},
        less=("num_pairs", "num_groups", "max_pairs"),
    )

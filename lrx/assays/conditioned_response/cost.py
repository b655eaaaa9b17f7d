"""Cost of the assay `conditioned_response`."""

from __future__ import annotations

import dataclasses

from lrx.assays.conditioned_response.assay import MAX_GROUPS, RESAMPLED, Settings
from lrx.responses.conditioned import varying_factors
from lrx.responses.cost import DOUBLE, Cost, conditioned_cost
from lrx.responses.measurement import Measurement
from lrx.responses.work_units import ALL_UNITS, Shard


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the responses of every group and pair, and what the bootstrap holds."""
    factors, varying = varying_factors(m.dataset, "assay=conditioned_response")
    m = m.with_units(settings.units)
    if settings.has_target:  # and at most all of the grid, in which the pilot counts once
        limits = {
            "num_groups": (settings.max_groups or MAX_GROUPS) + settings.num_pilot,
            "max_pairs": settings.max_pairs,
        }
        alone = dataclasses.replace(m, share=ALL_UNITS)  # who joins shards computes what they leave
        part = m if isinstance(m.share, Shard) else alone
        counted = conditioned_cost(part, factors, varying, **limits)
        if part is m:  # each shard computes the pilot
            limits["num_groups"] = settings.num_pilot
            pilot = conditioned_cost(alone, factors, varying, **limits)
            counted += dataclasses.replace(pilot, memory={})
    else:
        limits = {"num_groups": settings.num_groups, "max_pairs": settings.max_pairs}
        counted = conditioned_cost(m, factors, varying, **limits)
    most = (settings.max_groups or MAX_GROUPS) if settings.has_target else settings.num_groups
    replicates = 2 * settings.num_bootstrap * len(varying) * len(m.units)
    resampled = 2 * min(RESAMPLED, settings.num_bootstrap * most)
    return dataclasses.replace(
        counted,
        memory={**counted.memory, "bootstrap": DOUBLE * (replicates + resampled)},
        less=("max_groups" if settings.has_target else "num_groups", "max_pairs"),
    )

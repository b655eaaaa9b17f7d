"""Cost of the assay `conditioned_response`."""

from __future__ import annotations

import dataclasses

from lrx.assays.conditioned_response.assay import RESAMPLED, Settings
from lrx.responses.conditioned import varying_factors
from lrx.responses.cost import DOUBLE, Cost, conditioned_cost
from lrx.responses.measurement import Measurement


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the responses of every group and pair, and what the bootstrap holds."""
    factors, varying = varying_factors(m.dataset, "assay=conditioned_response")
    m = m.with_units(settings.units)
    counted = conditioned_cost(m, factors, varying, num_groups=settings.num_groups, max_pairs=settings.max_pairs)
    replicates = 2 * settings.num_bootstrap * len(varying) * len(m.units)
    resampled = 2 * min(RESAMPLED, settings.num_bootstrap * settings.num_groups)
    return dataclasses.replace(
        counted,
        memory={**counted.memory, "bootstrap": DOUBLE * (replicates + resampled)},
        less=("num_groups", "max_pairs"),
    )

"""Cost of the assay `latent_graph`."""

from __future__ import annotations

import dataclasses

from lrx.assays.latent_graph.assay import LEAST, NUM_SAMPLES, Settings
from lrx.responses.adaptive import PILOT
from lrx.responses.cost import Cost, adaptive_cost, fewer_rows, matrix_cost
from lrx.responses.draws import BLOCK, base_of
from lrx.responses.measure_matrix import GROUPS
from lrx.responses.measurement import Measurement
from lrx.responses.shared_matrix import serves


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the responses of the matrix, unless it is that of this run, and its sums by groups of draws."""
    base, m = base_of(m, settings.base), m.with_units(settings.units)
    if settings.max_samples is not None:
        least = min(settings.num_samples or NUM_SAMPLES, PILOT) if base == "prior" else LEAST * BLOCK
        most = max(settings.max_samples, least)
        counted = adaptive_cost(m, base=base, num_pilot=least, max_samples=most, quasi=False, num_groups=GROUPS)
        return dataclasses.replace(counted, less=("max_samples",), instead=fewer_rows(m))
    counted = matrix_cost(m, num_samples=settings.num_samples or NUM_SAMPLES, base=base, num_groups=GROUPS)
    if serves(m, num_samples=settings.num_samples, base=base):
        counted = Cost(memory=counted.memory)
    return dataclasses.replace(counted, less=("num_samples",), instead=fewer_rows(m))

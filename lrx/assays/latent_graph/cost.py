"""Cost of the assay `latent_graph`."""

from __future__ import annotations

import dataclasses

from lrx.assays.latent_graph.assay import NUM_SAMPLES, Settings
from lrx.responses.cost import Cost, matrix_cost
from lrx.responses.matrix import GROUPS, serves
from lrx.responses.measurement import Measurement


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the responses of the matrix, unless it is that of this run, and its sums by groups of draws."""
    counted = matrix_cost(
        m,
        rows=m.num_latents,
        columns=m.num_latents,
        num_samples=settings.num_samples or NUM_SAMPLES,
        base=settings.base,
        num_groups=GROUPS,
    )
    if serves(m, num_samples=settings.num_samples, base=settings.base):
        counted = Cost(memory=counted.memory)
    return dataclasses.replace(
        counted, less=("num_samples",), instead="assay=traversal assay.latents=[0,1] sets two latents alone"
    )

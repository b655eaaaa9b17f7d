"""Cost of the assay `response_matrix`."""

from __future__ import annotations

import dataclasses

from lrx.assays.response_matrix.assay import IMAGES, ROUNDING_DRAWS, Settings
from lrx.core.types import Probabilistic
from lrx.responses.cost import Cost, matrix_cost
from lrx.responses.encoding import num_drawn
from lrx.responses.matrix import net_size
from lrx.responses.measurement import Measurement
from lrx.responses.work_units import ALL_UNITS, Shard


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count (R + 1) num_samples responses, where no matrix of this run is given, and the images of the KL."""
    total = Cost() if m.matrix else estimate_cost(m, settings)
    if isinstance(m.share, Shard):
        return total
    if settings.precision == "bf16":
        alone = dataclasses.replace(m, share=ALL_UNITS)
        once = matrix_cost(
            alone, rows=m.num_latents, columns=m.num_latents, num_samples=ROUNDING_DRAWS, base=settings.base
        )
        total = total + once + once
    if isinstance(m.autoencoder, Probabilistic):
        total += Cost(posteriors=min(settings.num_samples, IMAGES, num_drawn(m.dataset)))
    return total


def estimate_cost(m: Measurement, settings: Settings, *, num_groups: int = 0) -> Cost:
    """Count what `estimate` does; with target_se at most, the least being num_samples in place of max_samples."""
    net = net_size(settings.num_samples) if settings.draws == "quasi" and settings.base == "prior" else 1
    limit = settings.num_samples if settings.target_se is None else settings.max_samples
    counted = matrix_cost(
        m,
        rows=m.num_latents,
        columns=m.num_latents,
        num_samples=-(-limit // net) * net,
        base=settings.base,
        net=net,
        num_groups=num_groups,
    )
    return dataclasses.replace(
        counted,
        at_most=counted.at_most or settings.target_se is not None,
        less=("num_samples" if settings.target_se is None else "max_samples",),
        instead="assay=traversal assay.latents=[0,1] sets two latents alone",
    )

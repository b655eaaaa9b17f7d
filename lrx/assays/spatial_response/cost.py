"""Cost of the assay `spatial_response`."""

from __future__ import annotations

import math

from lrx.assays.spatial_response.assay import Settings, sites_of
from lrx.responses.cost import DOUBLE, Cost, encoded_for_draws, shared
from lrx.responses.draws import BLOCK
from lrx.responses.measurement import Measurement
from lrx.responses.work_units import ALL_UNITS, Shard


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count N (1 + C P) responses, and the images of N draws, which every shard encodes that sets some of them."""
    sites, draws = sites_of(m, settings), settings.num_samples
    channels, block = sites.shape[0], min(draws, BLOCK)
    evaluates = m.share is ALL_UNITS or isinstance(m.share, Shard)
    images = encoded_for_draws(m, draws) if evaluates and settings.base != "prior" else 0
    entries = channels**2 * (math.prod(sites.sides) + 1)
    return Cost(
        responses=shared(m, draws * (1 + channels * sites.places), unit=block * (1 + sites.places), again=block),
        encoded=images if settings.base == "posterior" else 0,
        posteriors=images if settings.base == "posterior_sample" else 0,
        memory={
            f"sums of kernels of {channels:,} x {channels:,} channels": 8 * DOUBLE * entries,
            f"responses of {block:,} draws": 6 * DOUBLE * block * m.num_latents,
        },
        at_most=isinstance(m.share, Shard),
        less=("num_samples", "places"),
    )

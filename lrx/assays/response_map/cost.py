"""Cost of the assay `response_map`."""

from __future__ import annotations

import dataclasses
import math

from lrx.assays.response_map.assay import NUM_SAMPLES, Settings
from lrx.responses.cost import DOUBLE, FORWARD_MODE, Cost, matrix_cost, shared
from lrx.responses.encoding import num_drawn
from lrx.responses.measurement import Measurement
from lrx.responses.shared_matrix import serves
from lrx.responses.work_units import ALL_UNITS, Shard


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the matrix that chooses pairs, the points of the maps, and what is stored beside them.

    At most: with latents=all the informative pairs are mapped, and all are counted up to max_pairs.
    """
    m = m.with_units("element")
    rows = 2 if isinstance(settings.latents, list) else m.num_latents
    pairs = min(settings.max_pairs, rows * (rows - 1) // 2) if settings.latents == "all" else 1
    points = pairs * settings.resolution**2
    exact = settings.derivative == "exact"
    computed = shared(m, (2 if exact else 1) * points, unit=2 * m.batch_size) + exact  # one tries forward mode
    width = math.prod(m.dataset.observation_shape)
    counted = Cost(
        responses=computed,
        products=FORWARD_MODE * computed if exact else 0,
        encoded=int(settings.base == "image"),
        memory={f"{points:,} points of maps": 3 * DOUBLE * points * m.num_latents},
        at_most=settings.latents == "all" or isinstance(m.share, Shard),
        less=("resolution", "max_pairs") if settings.latents == "all" else ("resolution",),
    )
    if not isinstance(m.share, Shard):
        decoded = pairs * settings.decoded**2
        counted += Cost(
            encoded=min(settings.num_posterior, num_drawn(m.dataset)),
            decoded=decoded,
            memory={f"{decoded:,} decoded points": 8 * decoded * width},
        )
    if not serves(m, num_samples=settings.num_samples):
        alone = dataclasses.replace(m, share=ALL_UNITS)
        counted += matrix_cost(alone, rows=rows, num_samples=settings.num_samples or NUM_SAMPLES)
    return counted

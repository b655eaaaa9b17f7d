"""Cost of the assay `footprint`."""

from __future__ import annotations

import math

from lrx.assays.footprint.assay import Settings
from lrx.responses.cost import DOUBLE, Cost, encoded_for_draws, shared
from lrx.responses.measurement import Measurement
from lrx.responses.places import map_shape
from lrx.responses.work_units import Shard


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count N (C + 1) decodings and one that tells the size of pictures, and the images of N draws."""
    channels, draws = map_shape(m, "footprint")[0], settings.num_samples
    images = encoded_for_draws(m, draws) if settings.base != "prior" else 0
    pixels = math.prod(m.dataset.observation_shape)
    return Cost(
        decoded=shared(m, draws * (channels + 1), unit=2 * draws, again=draws) + 1,
        encoded=images if settings.base == "posterior" else 0,
        posteriors=images if settings.base == "posterior_sample" else 0,
        memory={f"pictures of {draws:,} draws": 2 * DOUBLE * draws * pixels},
        at_most=isinstance(m.share, Shard),
        less=("num_samples",),
    )

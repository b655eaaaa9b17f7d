"""Cost of the assay `round_trips`."""

from __future__ import annotations

import math

from lrx.assays.round_trips.assay import Settings
from lrx.responses.cost import DOUBLE, Cost, shared
from lrx.responses.encoding import num_drawn
from lrx.responses.measurement import Measurement
from lrx.responses.work_units import Shard


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the images, each encoded and sent on all trips, and squares by channel of each image and trip."""
    images = min(settings.num_images, num_drawn(m.dataset))
    own = shared(m, images, unit=min(m.batch_size, images))
    shown = min(settings.shown, images) * (settings.trips + 1)
    return Cost(
        responses=own * settings.trips,
        encoded=own,
        memory={
            f"drift of {images:,} images": 4 * DOUBLE * images * settings.trips * m.latent_shape[0],
            f"{shown:,} images after trips": DOUBLE * shown * math.prod(m.dataset.observation_shape),
        },
        at_most=isinstance(m.share, Shard),
        less=("num_images", "trips"),
    )

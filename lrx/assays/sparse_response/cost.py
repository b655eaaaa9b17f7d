"""Cost of the assay `sparse_response`."""

from __future__ import annotations

import math

from lrx.assays.sparse_response.assay import Settings
from lrx.responses.cost import DOUBLE, Cost
from lrx.responses.encoding import num_drawn
from lrx.responses.measurement import Measurement


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the vectors that are encoded and decoded, once; draws are exact and pass through no network.

    Memory: those vectors as they are and decoded, and what is kept of a feature.
    """
    vectors = min(settings.num_vectors, num_drawn(m.dataset))
    width = math.prod(m.dataset.observation_shape)
    features = settings.num_features or (len(settings.features) if settings.features else m.num_latents)
    return Cost(
        encoded=vectors,
        decoded=vectors,
        memory={
            f"{vectors:,} vectors": DOUBLE * vectors * width,
            f"responses of {features:,} features": 3 * DOUBLE * features * settings.most_responding,
        },
        less=("num_features", "num_vectors"),
    )

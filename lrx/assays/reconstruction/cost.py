"""Cost of the assay `reconstruction`."""

from __future__ import annotations

import math

from lrx.assays.reconstruction.assay import Settings
from lrx.core.types import Probabilistic
from lrx.responses.cost import DOUBLE, Cost
from lrx.responses.encoding import num_drawn
from lrx.responses.measurement import Measurement


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the images, each encoded and decoded, and with a posterior encoded once more."""
    images = min(settings.num_images, num_drawn(m.dataset))
    shown = min(settings.shown, images)
    return Cost(
        encoded=images,
        decoded=images,
        posteriors=images if isinstance(m.autoencoder, Probabilistic) else 0,
        memory={
            f"codes of {images:,} images": 3 * DOUBLE * images * m.num_latents,
            f"{shown:,} pairs of images": 4 * DOUBLE * shown * math.prod(m.dataset.observation_shape),
        },
        less=("num_images",),
    )

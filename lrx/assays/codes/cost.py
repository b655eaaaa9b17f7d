"""Cost of the assay `codes`."""

from __future__ import annotations

from lrx.assays.codes.assay import Settings
from lrx.core.types import Probabilistic
from lrx.responses.cost import DOUBLE, Cost
from lrx.responses.encoding import num_drawn
from lrx.responses.measurement import Measurement


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the images that are encoded."""
    images = min(settings.num_images, num_drawn(m.dataset))
    sampled = isinstance(m.autoencoder, Probabilistic)
    return Cost(
        encoded=0 if sampled else images,
        posteriors=images if sampled else 0,
        memory={f"codes of {images:,} images": 3 * DOUBLE * images * m.num_latents},
        less=("num_images",),
    )

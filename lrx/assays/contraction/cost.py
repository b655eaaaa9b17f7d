"""Cost of the assay `contraction`."""

from __future__ import annotations

from lrx.assays.contraction.assay import RESPONSES, Settings
from lrx.responses.cost import DOUBLE, Cost, shared
from lrx.responses.encoding import num_drawn
from lrx.responses.measurement import Measurement
from lrx.responses.work_units import Shard


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the codes of images, encoded by every shard, and the responses without and with each noise."""
    images = min(settings.num_images, num_drawn(m.dataset))
    levels = len(settings.levels)
    own = shared(m, images, unit=min(m.batch_size, images))
    return Cost(
        responses=own * (1 + RESPONSES * levels * settings.draws),
        encoded=images,
        memory={
            f"codes of {images:,} images": 3 * DOUBLE * images * m.num_latents,
            "noise of a batch": 2 * DOUBLE * min(m.batch_size, images) * settings.draws * m.num_latents,
            f"squares of {levels:,} levels": 4 * DOUBLE * images * levels * m.latent_shape[0],
        },
        at_most=isinstance(m.share, Shard),
        less=("num_images", "levels", "draws"),
    )

"""Cost of the assay `metrics`: its passes, not its fits."""

from __future__ import annotations

from lrx.assays.metrics.assay import Settings
from lrx.metrics.record import PRESETS
from lrx.responses.cost import DOUBLE, Cost
from lrx.responses.encoding import num_drawn
from lrx.responses.measurement import Measurement


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the images that are encoded."""
    sizes = PRESETS[settings.preset]
    images = min(sizes.num_train + sizes.num_test, num_drawn(m.dataset))
    return Cost(
        encoded=images, memory={f"codes of {images:,} images": 3 * DOUBLE * images * m.num_latents}, less=("preset",)
    )

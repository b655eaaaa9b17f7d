"""Cost of the assay `factor_inference`: its passes, not its fits."""

from __future__ import annotations

from lrx.assays.factor_inference.assay import Settings
from lrx.responses.conditioned import varying_factors
from lrx.responses.cost import DOUBLE, Cost, conditioned_cost
from lrx.responses.encoding import num_drawn
from lrx.responses.measurement import Measurement


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the conditioned responses, and the images of each repeat."""
    factors, varying = varying_factors(m.dataset, "assay=factor_inference")
    available = num_drawn(m.dataset)
    num_test = min(settings.num_test, available // 3)
    images = max(min(count, available - num_test) for count in settings.labels) + num_test
    counted = conditioned_cost(m, factors, varying, num_groups=settings.num_groups, max_pairs=settings.max_pairs)
    return counted + Cost(
        encoded=settings.repeats * images,
        memory={f"codes of {images:,} images": 3 * DOUBLE * images * m.num_latents},
        less=("num_groups", "max_pairs", "repeats", "labels"),
    )

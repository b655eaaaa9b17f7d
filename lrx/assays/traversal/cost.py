"""Cost of the assay `traversal`."""

from __future__ import annotations

import math

from lrx.assays.traversal.assay import NUM_SAMPLES, Settings
from lrx.responses.cost import DOUBLE, Cost, matrix_cost
from lrx.responses.encoding import num_drawn
from lrx.responses.matrix import serves
from lrx.responses.measurement import Measurement


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the matrix that orders the latents, and the points of the walks, each decoded and responded to.

    At most: with latents=informative those are walked, and all are counted.
    """
    images = len(settings.images) if isinstance(settings.images, list) else min(settings.images, num_drawn(m.dataset))
    listed = isinstance(settings.latents, list)
    rows = len(settings.latents) if listed else m.num_latents
    points = images * rows * settings.steps
    kept = points * (DOUBLE * m.num_latents + 4 * math.prod(m.dataset.observation_shape))
    counted = Cost(
        responses=points,
        decoded=points + images,
        encoded=images,
        memory={f"{points:,} points of walks": 2 * kept},
        at_most=settings.latents == "informative",
        less=("latents", "images", "steps"),
    )
    if not serves(m, num_samples=settings.num_samples):
        counted += matrix_cost(m, rows=rows, columns=m.num_latents, num_samples=settings.num_samples or NUM_SAMPLES)
    return counted

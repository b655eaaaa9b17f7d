"""Cost of the assay `traversal`."""

from __future__ import annotations

import math

from lrx.assays.traversal.assay import NUM_SAMPLES, Settings
from lrx.assays.traversal.walks import SPREAD_IMAGES
from lrx.responses.cost import DOUBLE, Cost, matrix_cost
from lrx.responses.draws import AUTO, base_of
from lrx.responses.encoding import num_drawn
from lrx.responses.enumeration import latent_values
from lrx.responses.measurement import Measurement
from lrx.responses.shared_matrix import serves


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the matrix that orders the latents, and the points of the walks, each decoded and responded to.

    At most: with latents=informative those are walked, and all are counted.
    """
    m = m.with_units(settings.units)
    base = base_of(m, AUTO)
    images = len(settings.images) if isinstance(settings.images, list) else min(settings.images, num_drawn(m.dataset))
    listed = settings.latents if isinstance(settings.latents, list) else [settings.latents]
    rows = len(m.units) if isinstance(settings.latents, str) else len(listed)
    values_DV = latent_values(m)
    given = settings.values if isinstance(settings.values, list) else [settings.values]
    steps = settings.steps if settings.values is None else len(given)
    points = images * rows * (steps if values_DV is None else values_DV.shape[1])
    kept = points * (DOUBLE * m.num_latents + 4 * math.prod(m.dataset.observation_shape))
    counted = Cost(
        responses=points + images,
        decoded=points + images,
        encoded=images + (min(SPREAD_IMAGES, num_drawn(m.dataset)) if len(m.latent_shape) > 1 else 0),
        memory={f"{points:,} points of walks": 2 * kept},
        at_most=settings.latents == "informative",
        less=("latents", "images", "steps"),
    )
    if not serves(m, num_samples=settings.num_samples, base=base):
        counted += matrix_cost(m, rows=rows, num_samples=settings.num_samples or NUM_SAMPLES, base=base)
    return counted

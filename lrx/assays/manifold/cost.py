"""Cost of the assay `manifold`."""

from __future__ import annotations

from lrx.assays.manifold.assay import POINTS, Settings
from lrx.core.types import Probabilistic
from lrx.responses import plateaus
from lrx.responses.cost import Cost
from lrx.responses.encoding import num_drawn
from lrx.responses.measurement import Measurement


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count a response and D products (or num_probes) of each point, and the steps that look for plateaus.

    At most: both steps along each latent are counted, and are taken where its derivative is next to 0.
    """
    images = min(settings.num_points, num_drawn(m.dataset))
    points = settings.num_points + images
    products = m.num_latents if settings.jacobian == "exact" else min(settings.num_probes, m.num_latents)
    wide = 2 * m.num_latents * min(plateaus.POINTS, points)
    sampled = settings.codes != "mean" and isinstance(m.autoencoder, Probabilistic)
    held = min(POINTS, points) * m.num_latents * products
    return Cost(
        responses=3 * points + wide,
        products=points * products,
        encoded=0 if sampled else images,
        posteriors=images if sampled else 0,
        memory={f"Jacobians of {min(POINTS, points)} points": 48 * held},
        at_most=True,
        less=("num_points", "jacobian") if products == m.num_latents else ("num_points", "num_probes"),
        instead="jacobian=hutchinson, with num_probes products of a point" if products > settings.num_probes else "",
    )

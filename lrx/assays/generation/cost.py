"""Cost of the assay `generation`: its passes through the model, not those of the network that gives features."""

from __future__ import annotations

from lrx.assays.generation.assay import Settings
from lrx.core.types import Probabilistic
from lrx.responses.cost import DOUBLE, Cost
from lrx.responses.encoding import num_drawn
from lrx.responses.measurement import Measurement


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the samples of each source, each decoded and responded to, and the refinements."""
    samples = min(settings.num_samples, num_drawn(m.dataset) // 2)
    sampled = isinstance(m.autoencoder, Probabilistic)
    sources = 5 if sampled else 4
    return Cost(
        responses=samples * (sources + settings.refinements),
        decoded=samples * sources,
        encoded=samples,
        posteriors=samples if sampled else 0,
        memory={
            f"codes of {samples:,} samples": 2 * DOUBLE * sources * samples * m.num_latents,
            f"distances of {samples:,} x {samples:,} samples": 4 * DOUBLE * samples**2,
        },
        less=("num_samples", "refinements"),
    )

"""Cost of the assay `equivariance`."""

from __future__ import annotations

from lrx.assays.equivariance.assay import Settings
from lrx.assays.equivariance.windows import windows_of
from lrx.responses.cost import DOUBLE, Cost, shared
from lrx.responses.encoding import num_drawn
from lrx.responses.measurement import Measurement
from lrx.responses.work_units import Shard


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the windows of each image, and those of the first image that try whether the model takes them."""
    shifts = len(windows_of(m, settings.shifts, settings.margin).shifts)
    images = min(settings.num_images, num_drawn(m.dataset))
    own = shared(m, images, unit=min(m.batch_size, images))
    return Cost(
        encoded=own * (2 * shifts - 1) + 1,
        decoded=own * 2 * shifts + 2,
        memory={"codes of a batch, in double precision": 8 * DOUBLE * min(m.batch_size, images) * m.num_latents},
        at_most=isinstance(m.share, Shard),
        less=("num_images", "shifts"),
    )

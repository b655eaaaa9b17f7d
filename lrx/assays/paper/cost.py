"""Cost of `assay=paper`: the sum of the assays that are not finished, less what they share.

The response matrix is measured once, and an image whose code is asked for is encoded once.
"""

from __future__ import annotations

import contextlib
import dataclasses

from lrx.assays import catalog
from lrx.assays.paper.assay import Settings, names_to_run, owner_of_matrix, takes_matrix
from lrx.assays.requirements import check_codes
from lrx.core.settings import Checked
from lrx.responses.cost import Cost
from lrx.responses.draws import AUTO, base_of
from lrx.responses.encoding import fitting_batch_size
from lrx.responses.matrix import ResponseMatrix
from lrx.responses.measure_matrix import GROUPS
from lrx.responses.measurement import Measurement


def cost(m: Measurement, settings: Settings) -> Cost:
    """Sum the assays; memory is that of the largest beside what all keep. At most: images in common count once."""
    names = [name for name in names_to_run(settings, m.dataset) if m.store.get(name) is None]
    total, parts = Cost(), {}
    owner = owner_of_matrix(settings)
    if owner is not None and any(takes_matrix(settings.assays[name]) for name in names):
        total += catalog.estimate_cost_of(owner)(_part(m, owner), owner, num_groups=GROUPS)
        units = m.with_units(getattr(owner, "units", None)).units
        matrix = ResponseMatrix([], units, base=base_of(m, getattr(owner, "base", AUTO)))
        m = dataclasses.replace(m, matrix=matrix)
    for name in names:
        own = settings.assays[name]
        with contextlib.suppress(ValueError):  # refused, which its own measurement says
            check_codes(own, m)
            count = catalog.cost_of(own)
            parts[name] = Cost() if count is None else count(_part(m, own), own)
            total += dataclasses.replace(parts[name], memory={})
    kept = {**total.memory, "codes of the data set": 4 * len(m.dataset) * m.num_latents}
    longest = max(parts, key=lambda name: parts[name].passes, default="")
    return dataclasses.replace(
        total,
        encoded=min(total.encoded, len(m.dataset)),
        memory={**max(parts.values(), key=lambda part: part.num_bytes, default=Cost()).memory, **kept},
        at_most=True,
        less=("only", *(f"assays.{longest}.{key}" for key in parts[longest].less)) if parts else (),
        instead="",
    )


def _part(m: Measurement, own: Checked) -> Measurement:
    batch_size = getattr(own, "batch_size", None) or fitting_batch_size(m.dataset.observation_shape)
    return dataclasses.replace(m, batch_size=batch_size)

"""Values along traversals.

I images, W latents that are walked, S steps, D latents.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lrx.assays.traversal.walks import centre_and_spread
from lrx.core.validation import SettingError
from lrx.responses.enumeration import latent_values
from lrx.responses.measurement import Measurement

EXTENT, STEPS = 3.0, 11


def targets(
    m: Measurement, order: Tensor, *, extent: float, steps: int, values: float | list[float] | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return labels of the steps (S,), the values of each latent (S, D), and what these are relative to (D,), (D,).

    values: in place of equal steps from -extent to extent; they are taken in ascending order.
    SettingError for steps of one's own through quantised latents, whose values are all taken.
    """
    own_DV = latent_values(m)
    if own_DV is None:
        values_S = torch.linspace(-extent, extent, steps, dtype=torch.float64)
        if values is not None:
            values_S = torch.tensor(sorted(values if isinstance(values, list) else [values]), dtype=torch.float64)
        centre_D, spread_D = centre_and_spread(m, order)
        return values_S, torch.stack([centre_D + spread_D * value for value in values_S]), centre_D, spread_D
    latents, number = own_DV.shape
    for name, given, default in (("extent", extent, EXTENT), ("steps", steps, STEPS), ("values", values, None)):
        if given != default:
            raise SettingError(
                f"{name}={given} has no effect on quantised latents, each of whose {number} values is set; leave it out"
            )
    zeros_D = torch.zeros(latents, dtype=torch.float64)
    return torch.arange(number), own_DV.T.double().cpu(), zeros_D, torch.ones_like(zeros_D)

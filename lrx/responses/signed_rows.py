"""Signed rows of a response matrix: the mean change of each response where a latent is set above, and below, its value.

up_jk = E[d_k | v > z_j], down_jk = E[d_k | v < z_j], d = h(do(z_j := v)) - h(z): signs say in which direction a latent
moves the others, which the root mean square of the matrix leaves out. Draws with v = z_j, as of codes that images
share, count for neither. R rows, D latents; features 1, [v > z], [v < z], [v > z] d, [v < z] d.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lrx.core.types import Array
from lrx.responses.delta_method import standard_error
from lrx.responses.draws import blocks
from lrx.responses.interventions import BlockResponses, block_responses, row_units
from lrx.responses.matrix import AXES
from lrx.responses.measurement import Measurement
from lrx.responses.response_sums import products_of_row
from lrx.responses.work_units import Values


def measure_signed(m: Measurement, *, base: str, num_samples: int) -> dict[str, Array]:
    """Return `up`, `up_se`, `down` and `down_se` (D, D) of a result, over independent draws of their own.

    An entry is NaN where no draw is on its side.
    """
    products = torch.zeros(m.num_latents, m.num_latents, 5, 5, dtype=torch.float64)
    lagged = torch.zeros_like(products)
    done, total = 0, num_samples * (m.num_latents + 1)
    drawn = block_responses(
        m.autoencoder,
        blocks(m, base=base),
        rows=range(m.num_latents),
        units=m.units,
        num_samples=num_samples,
        batch_size=m.batch_size,
    )
    for unit in row_units(drawn, signed_sums):
        products_RDTT, lagged_RDTT = unit.evaluate()
        rows = slice(unit.key[1], unit.key[1] + len(products_RDTT))
        products[rows] += products_RDTT
        lagged[rows] += lagged_RDTT
        done += unit.responses
        m.progress(done, total)
    return _arrays(products, lagged)


def signed_sums(block: BlockResponses, rows: range) -> Values:
    """Return products (R, D, 5, 5) and lagged ones, 0 where values come from the prior, of rows that each set one
    latent."""
    products, lagged = [], []
    draws = block.draws
    for latent, after_ND in zip(block.set_at(rows), block.after_interventions(rows), strict=True):
        step_N1 = (draws.values_ND[:, latent] - draws.z_ND[:, latent]).cpu()[:, None]
        d_ND = after_ND.double() - block.h_ND.double()
        sides = [(side > 0).double().expand_as(d_ND) for side in (step_N1, -step_N1)]
        features = torch.stack([torch.ones_like(d_ND), *sides, *(side * d_ND for side in sides)], -1)
        partners_N = None if draws.partners_ND is None else draws.partners_ND[:, latent]
        pair = products_of_row(features, partners_N, net=1)
        products.append(pair[0])
        lagged.append(pair[1] if pair[1].numel() else torch.zeros_like(pair[0]))
    return torch.stack(products), torch.stack(lagged)


def _arrays(products_RDTT: Tensor, lagged_RDTT: Tensor) -> dict[str, Array]:
    mean_RDT = products_RDTT[..., 0, :] / products_RDTT[..., 0, 0, None]
    arrays: dict[str, Array] = {}
    for side, (name, where) in enumerate((("up", "above"), ("down", "below")), 1):
        share_RD, part_RD = mean_RDT[..., side], mean_RDT[..., side + 2]
        value_RD = part_RD / share_RD
        gradient_RDT = torch.zeros_like(mean_RDT)
        gradient_RDT[..., side], gradient_RDT[..., side + 2] = -value_RD / share_RD, 1 / share_RD
        se_RD = standard_error(products_RDTT, lagged_RDTT, gradient_RDT)
        arrays[name] = Array(value_RD.numpy(), AXES, "latent", f"mean change of response where v is {where} z")
        arrays[f"{name}_se"] = Array(se_RD.numpy(), AXES, "latent", "its standard error")
    return arrays

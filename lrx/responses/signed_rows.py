"""Signed rows of a response matrix: the mean change of each response where a latent is set above, and below, its value.

up_jk = E[d_k | v > z_j], down_jk = E[d_k | v < z_j], d = h(do(z_j := v)) - h(z): signs say in which direction a latent
moves the others, which the root mean square of the matrix leaves out. R rows, D latents; features 1, [v > z],
[v > z] d, [v < z] d.
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
    products = torch.zeros(m.num_latents, m.num_latents, 4, 4, dtype=torch.float64)
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
    """Return products (R, D, 4, 4) and lagged ones, 0 where values come from the prior, of rows that each set one
    latent."""
    products, lagged = [], []
    draws = block.draws
    for latent, after_ND in zip(block.set_at(rows), block.after_interventions(rows), strict=True):
        up_N1 = (draws.values_ND[:, latent] > draws.z_ND[:, latent]).cpu().double()[:, None]
        d_ND = after_ND.double() - block.h_ND.double()
        features = torch.stack([torch.ones_like(d_ND), up_N1.expand_as(d_ND), up_N1 * d_ND, (1 - up_N1) * d_ND], -1)
        partners_N = None if draws.partners_ND is None else draws.partners_ND[:, latent]
        pair = products_of_row(features, partners_N, net=1)
        products.append(pair[0])
        lagged.append(pair[1] if pair[1].numel() else torch.zeros_like(pair[0]))
    return torch.stack(products), torch.stack(lagged)


def _arrays(products_RDTT: Tensor, lagged_RDTT: Tensor) -> dict[str, Array]:
    mean_RDT = products_RDTT[..., 0, :] / products_RDTT[..., 0, 0, None]
    share_RD = mean_RDT[..., 1]
    arrays: dict[str, Array] = {}
    for name, where, feature, side_RD, sign in (
        ("up", "above", 2, share_RD, 1.0),
        ("down", "below", 3, 1 - share_RD, -1.0),
    ):
        value_RD = mean_RDT[..., feature] / side_RD
        gradient_RDT = torch.zeros_like(mean_RDT)
        gradient_RDT[..., feature] = 1 / side_RD
        gradient_RDT[..., 1] = -sign * value_RD / side_RD
        se_RD = standard_error(products_RDTT, lagged_RDTT, gradient_RDT)
        arrays[name] = Array(value_RD.numpy(), AXES, "latent", f"mean change of response where v is {where} z")
        arrays[f"{name}_se"] = Array(se_RD.numpy(), AXES, "latent", "its standard error")
    return arrays

"""Sums over draws that a `ResponseMatrix` adds up: products of features of responses, and squares by groups of draws.

N draws, D latents, R rows, T = 4 features, g groups of draws that a block reaches. Sums are in float64.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lrx.responses.interventions import BlockResponses
from lrx.responses.work_units import Values


def unit_sums(block: BlockResponses, rows: range, *, net: int, num_groups: int, num_samples: int) -> Values:
    """Return what `ResponseMatrix.add` takes of a block of draws and some rows."""
    partners_ND, after = block.draws.partners_ND, block.after_interventions(rows)
    partners_NR = None if partners_ND is None else partners_ND[:, block.latents(rows)]
    centre_D = block.first.h_ND.double().mean(0)
    sums = feature_sums(block.h_ND, after, partners_NR, centre_D=centre_D, net=net)
    if not num_groups:
        return sums
    place_N = (torch.arange(block.start, block.start + block.size) // net) * num_groups // (num_samples // net)
    if partners_ND is not None:  # draws of the block share images: it goes whole to the group of its first draw
        place_N = place_N[:1].expand(block.size)
    return (*sums, *group_sums(block.h_ND, after, place_N))


def feature_sums(
    h_ND: Tensor, after: Sequence[Tensor], partners_NR: Tensor | None, *, centre_D: Tensor, net: int = 1
) -> Values:
    """Sum products of features of responses (N, D) at base points, and (N, D) after each of R interventions.

    Returns products (R, D, T, T), rounding (D,), and with partners int64 (N, R), as in `Draws`, lagged products
    (R, D, T, T), else an empty tensor. Any centre near h(z) keeps the digits of responses that hardly vary.
    net: number of draws that are averaged first.
    """
    products, lagged = [], []
    for row, after_ND in enumerate(after):
        d_ND, e_ND = after_ND.double() - h_ND.double(), h_ND.double() - centre_D
        features_NDT = torch.stack([torch.ones_like(d_ND), d_ND.square(), e_ND, e_ND.square()], dim=-1)
        if net > 1:
            features_NDT = features_NDT.view(-1, net, *features_NDT.shape[1:]).mean(1)
        products.append(torch.einsum("nks,nkt->kst", features_NDT, features_NDT))
        if partners_NR is not None:
            partners_N = partners_NR[:, row]
            draw = (partners_N < len(h_ND)).nonzero()[:, 0]
            pair = features_NDT[draw], features_NDT[partners_N[draw]]
            lagged.append(torch.einsum("nks,nkt->kst", *pair))
    rounding_D = 16 * torch.finfo(h_ND.dtype).eps * h_ND.abs().amax(0).double()
    return torch.stack(products), rounding_D, torch.stack(lagged) if lagged else torch.zeros(0)


def group_sums(h_ND: Tensor, after: Sequence[Tensor], place_N: Tensor) -> Values:
    """Return the groups int64 (g,) of draws, how many draws each has (g,), and sums of d^2 (g, R, D)."""
    groups_g, place_N, counts_g = torch.unique(place_N, return_inverse=True, return_counts=True)
    squares_gRD = torch.zeros(len(groups_g), len(after), h_ND.shape[1], dtype=torch.float64)
    for row, after_ND in enumerate(after):
        squares_gRD[:, row].index_add_(0, place_N, (after_ND.double() - h_ND.double()).square())
    return groups_g, counts_g, squares_gRD

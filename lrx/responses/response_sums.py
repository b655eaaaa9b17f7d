"""Sums over draws that a `ResponseMatrix` adds up: products of features of responses, and squares by groups of draws.

N draws, D latents, R rows, U columns: units, whose latents are pooled. T features: 1 and d^2, and where columns are
single latents also e and e^2. g groups of draws that a block reaches. Sums are in float64.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lrx.responses.draws import BLOCK
from lrx.responses.interventions import BlockResponses
from lrx.responses.work_units import Values

EMPTY = torch.zeros(0, dtype=torch.float64)


def unit_sums(
    block: BlockResponses,
    rows: range,
    *,
    net: int,
    num_groups: int,
    num_samples: int | None,
    with_std: bool = True,
    centre_D: Tensor | None = None,
) -> Values:
    """Return what `ResponseMatrix.add` takes of a block of draws and some rows.

    num_samples: of the rows, which groups divide into consecutive parts; None where rows have numbers of their own, and
    nets, or blocks from data, go to the groups by turns. centre: of e, that of the first block where none is given.
    """
    units, partners_ND, after = block.units, block.draws.partners_ND, block.after_interventions(rows)
    firsts = torch.stack([units.members[unit][0] for unit in block.set_at(rows)])
    partners_NR = None if partners_ND is None else partners_ND[:, firsts]
    centre_D = block.first.h_ND.double().mean(0) if centre_D is None else centre_D
    e_ND = block.h_ND.double() - centre_D
    pooled = [units.pooled((after_ND.double() - block.h_ND.double()).square()) for after_ND in after]
    if block.draws.weights_ND is not None:
        weights_NR = block.draws.weights_ND[:, firsts]
        pooled = [weights_NR[:, row, None] * squares_NU for row, squares_NU in enumerate(pooled)]
    sums = (
        *_products(pooled, e_ND if with_std else None, partners_NR, net=net),
        rounding(block.h_ND),
        *own_sums(block, rows, pooled, partners_NR, net=net),
        _moments(e_ND, centre_D) if rows.start == 0 else EMPTY,
    )
    if not num_groups:
        return sums
    net_N = torch.arange(block.start, block.start + block.size) // net
    if num_samples is not None:
        place_N = net_N * num_groups // (num_samples // net)
    else:
        place_N = (net_N if partners_ND is None else net_N // BLOCK) % num_groups
    if partners_ND is not None:  # draws of the block share images: it goes whole to the group of its first draw
        place_N = place_N[:1].expand(block.size)
    groups_g, counts_g, squares_gRU = group_sums(pooled, place_N)
    return (*sums, groups_g, counts_g[:, None].expand(-1, len(pooled)), squares_gRU)


def _moments(e_ND: Tensor, centre_D: Tensor) -> Tensor:
    """Return the number of draws, the centre, and sums of e and of e^2 (4, D)."""
    return torch.stack([torch.full_like(centre_D, len(e_ND)), centre_D, e_ND.sum(0), e_ND.square().sum(0)])


def feature_sums(
    h_ND: Tensor, after: Sequence[Tensor], partners_NR: Tensor | None, *, centre_D: Tensor, net: int = 1
) -> Values:
    """Sum products of features of responses (N, D) at base points, and (N, D) after each of R interventions.

    Returns products (R, D, T, T), with partners int64 (N, R), as in `Draws`, lagged products (R, D, T, T), else an
    empty tensor, and rounding (D,). Any centre near h(z) keeps the digits of responses that hardly vary.
    net: number of draws that are averaged first.
    """
    squares = [(after_ND.double() - h_ND.double()).square() for after_ND in after]
    return *_products(squares, h_ND.double() - centre_D, partners_NR, net=net), rounding(h_ND)


def rounding(h_ND: Tensor) -> Tensor:
    """Return by how much rounding may move responses (N, D), as (D,)."""
    return 16 * torch.finfo(h_ND.dtype).eps * h_ND.abs().amax(0).double()


def own_sums(
    block: BlockResponses, rows: range, pooled: Sequence[Tensor], partners_NR: Tensor | None, *, net: int
) -> Values:
    """Return products (R, 3, 3), and lagged ones or an empty tensor, of the features 1, d^2 and s^2 of the unit that
    was set: its response, and the step v - z that it was set by, both pooled."""
    draws, units = block.draws, block.units
    products, lagged = [], []
    for row, unit in enumerate(block.set_at(rows)):
        members = units.members[unit]
        step_N = (draws.values_ND[:, members].double() - draws.z_ND[:, members].double()).square().mean(1).cpu()
        if draws.weights_ND is not None:
            step_N = step_N * draws.weights_ND[:, members[0]]
        features_N1T = torch.stack([torch.ones_like(step_N), pooled[row][:, unit], step_N], dim=-1)[:, None]
        pair = products_of_row(features_N1T, None if partners_NR is None else partners_NR[:, row], net=net)
        products.append(pair[0][0])
        lagged.append(pair[1][0] if pair[1].numel() else EMPTY)
    return torch.stack(products), torch.stack(lagged)


def group_sums(pooled: Sequence[Tensor], place_N: Tensor) -> Values:
    """Return the groups int64 (g,) of draws, how many draws each has (g,), and sums of d^2 (g, R, U)."""
    groups_g, place_N, counts_g = torch.unique(place_N, return_inverse=True, return_counts=True)
    squares_gRU = torch.zeros(len(groups_g), len(pooled), pooled[0].shape[1], dtype=torch.float64)
    for row, squares_NU in enumerate(pooled):
        squares_gRU[:, row].index_add_(0, place_N, squares_NU)
    return groups_g, counts_g, squares_gRU


def _products(squares: Sequence[Tensor], e_NU: Tensor | None, partners_NR: Tensor | None, *, net: int) -> Values:
    """Return products (R, U, T, T) and lagged ones, or an empty tensor, of rows of d^2 (N, U)."""
    products, lagged = [], []
    for row, squares_NU in enumerate(squares):
        parts = [torch.ones_like(squares_NU), squares_NU, *([] if e_NU is None else [e_NU, e_NU.square()])]
        partners_N = None if partners_NR is None else partners_NR[:, row]
        pair = products_of_row(torch.stack(parts, dim=-1), partners_N, net=net)
        products.append(pair[0])
        lagged.append(pair[1])
    return torch.stack(products), torch.stack(lagged) if partners_NR is not None else EMPTY


def products_of_row(features_NUT: Tensor, partners_N: Tensor | None, *, net: int) -> tuple[Tensor, Tensor]:
    """Return products (..., T, T) of features (N, ..., T) summed over draws, and those of draws with their partners.

    partners: int64 (N,); None for an empty tensor. net: number of draws that are averaged first.
    """
    if net > 1:
        features_NUT = features_NUT.view(-1, net, *features_NUT.shape[1:]).mean(1)
    products_UTT = torch.einsum("n...s,n...t->...st", features_NUT, features_NUT)
    if partners_N is None:
        return products_UTT, EMPTY
    draw = (partners_N < len(features_NUT)).nonzero()[:, 0]
    return products_UTT, torch.einsum("n...s,n...t->...st", features_NUT[draw], features_NUT[partners_N[draw]])

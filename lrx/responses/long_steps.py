"""Values v of the prior with long steps v - z more often than the prior has them, and the weights that undo it.

A response moves the further the longer its step, so that most of the error of E[d^2] comes from few long steps. Here v
has the density q(v | z) = phi(v) (a + (1 - a) (v - z)^2 / (1 + z^2)), phi being that of the prior: with the share a it
is a draw of the prior, else one in proportion to the squared step, of which 1 + z^2 is the mean. The weights phi / q
are at most 1 / a, and E_q[phi / q d^2] = E_phi[d^2] for any response (importance sampling, with a defensive share:
Hesterberg 1995). z is a draw of the prior as before, so that rows still share h(z).
N draws, D latents.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from lrx.responses.draws import Block, Draws, blocks, enumerated
from lrx.responses.matrix import ResponseMatrix
from lrx.responses.measurement import Measurement

SHARE = 0.2  # of draws of the prior itself, a
FARTHEST = 9.0  # of a value from 0: a draw of the prior is farther once in 10^18 times
HALVINGS = 50


def stream(m: Measurement, matrix: ResponseMatrix, *, net: int, long_steps: bool) -> Iterator[Block]:
    """Yield blocks of draws for rows of a matrix, endlessly.

    long_steps: whether long steps come more often, where latents are set alone, to values of the prior that are not all
    set.
    """
    drawn = blocks(m, base=matrix.base, net=net)
    if long_steps and has_long_steps(matrix):
        return with_long_steps(drawn)
    return enumerated(drawn, matrix.values)


def has_long_steps(matrix: ResponseMatrix) -> bool:
    """Return whether long steps can come more often."""
    return matrix.base == "prior" and matrix.values is None and matrix.units.kind == "element"


def with_long_steps(blocks: Iterator[Block]) -> Iterator[Block]:
    """Yield these blocks of draws of the prior with values of q in place of v, at the same quantiles, and weights."""

    def lengthened(block: Block) -> Draws:
        draws = block.draws()
        z_ND = draws.z_ND.double().cpu()
        values_ND = quantile(torch.special.ndtr(draws.values_ND.double().cpu()), z_ND).to(draws.values_ND)
        return Draws(draws.z_ND, values_ND, weights_ND=weight(values_ND.double().cpu(), z_ND))

    return (Block(block.size, functools.partial(lengthened, block)) for block in blocks)


def weight(values: Tensor, z: Tensor) -> Tensor:
    """Return phi / q of values for base points of the same shape."""
    return 1 / (SHARE + (1 - SHARE) * (values - z).square() / (1 + z.square()))


def quantile(levels: Tensor, z: Tensor) -> Tensor:
    """Return the values below which q has these levels, between 0 and 1, by halving intervals.

    The distribution function is Phi(v) - (1 - a) (v - 2 z) phi(v) / (1 + z^2).
    """
    low, high = torch.full_like(levels, -FARTHEST), torch.full_like(levels, FARTHEST)
    slope = (1 - SHARE) / (1 + z.square()) / math.sqrt(2 * math.pi)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        level = torch.special.ndtr(middle) - slope * (middle - 2 * z) * torch.exp(-middle.square() / 2)
        low, high = torch.where(level < levels, middle, low), torch.where(level < levels, high, middle)
    return (low + high) / 2

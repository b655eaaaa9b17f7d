"""Draws of each row by what its errors need: honest intervals, and no more draws than that."""

from __future__ import annotations

import torch
from torch import Tensor

from lrx.responses.adaptive import PILOT, Rows, Target, first_draws
from lrx.responses.draws import BLOCK, net_size
from lrx.responses.matrix import ResponseMatrix
from lrx.responses.work_units import ALL_UNITS, Share

REPEATS = 500
SQUARES = {  # d^2 of a draw by its kind, from uniform numbers
    "normal": lambda u: torch.special.ndtri(u).square(),
    "heavy": lambda u: torch.expm1(1.2 * torch.special.ndtri(u)).square() / 8,  # kurtosis of d^2 above 10^4
    "discrete": lambda u: (u < 0.05).double(),
    "tiny": lambda u: 1e-6 * torch.special.ndtri(u).square(),
    "dead": torch.zeros_like,
}


class Synthetic(Rows):
    """Rows that each repeat the same measurement of one entry, with d^2 of a known law; nets as of smooth responses."""

    def __init__(self, kind: str, nets: Tensor, max_samples: int, generator: torch.Generator) -> None:
        self.matrix = ResponseMatrix(range(REPEATS), 1, net=nets.tolist(), with_std=False)
        self.left = {int(net): max_samples for net in nets.unique()}
        self._kind, self._generator, self.share = kind, generator, ALL_UNITS

    def add(self, draws_R: Tensor, share: Share) -> None:
        del share
        for place, draws in enumerate(draws_R.tolist()):
            net = int(self.matrix.net_R[place])
            count = -(-draws // BLOCK) * BLOCK // net
            if count:
                u_NM = torch.rand(count, net, generator=self._generator, dtype=torch.float64)
                u_NM[:, : net // 4] = (torch.arange(net // 4) + u_NM[:, : net // 4]) / max(1, net // 4)
                features_NT = torch.stack([torch.ones(count).double(), SQUARES[self._kind](u_NM).mean(1)], dim=1)
                self.matrix.products_RDTT[place, 0] += features_NT.T @ features_NT


def repeated(kind: str, se: float, *, quasi: bool = True, max_samples: int = 2**14) -> ResponseMatrix:
    generator = torch.Generator().manual_seed(0)
    target = Target(se, None, "half")
    pilot = Synthetic(kind, torch.full((REPEATS,), net_size(PILOT) if quasi else 1), PILOT, generator)
    pilot.add(torch.full((REPEATS,), PILOT), ALL_UNITS)
    draws_R = first_draws(pilot.matrix, target, PILOT, max_samples)
    nets_R = torch.tensor([net_size(draws) if quasi else 1 for draws in draws_R.tolist()])
    rows = Synthetic(kind, nets_R, max_samples, generator)
    rows.sample(draws_R, target)
    return rows.matrix

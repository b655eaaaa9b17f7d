"""Sums over draws whose values come from data, from which means and functions of means follow with their errors.

A draw and its partner (`lrx.responses.draws.Draws`) share an image, so the variance of a mean over n draws is
(s^2 + 2 s_p) / (n - 1), with s_p the covariance of a draw and its partner; the delta method takes it to functions of
means. T features of a draw, the first of which is 1; x any shape. Sums are in float64.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lrx.responses.delta_method import standard_error
from lrx.responses.response_sums import products_of_row
from lrx.responses.work_units import Values


def sums_of(features_NxT: Tensor, partners_N: Tensor | None) -> Values:
    """Return the products of features of draws, (x, T, T), and those with partners, or an empty tensor."""
    return products_of_row(features_NxT, partners_N, net=1)


class PairedSums:
    """Running sums of `sums_of`, of R rows."""

    def __init__(self, rows: int, *shape: int) -> None:
        self.own_RxTT = torch.zeros(rows, *shape, shape[-1], dtype=torch.float64)
        self.lagged_RxTT = torch.zeros_like(self.own_RxTT)

    def add(self, row: int, sums: Values) -> None:
        """Add the sums of a block of draws to a row."""
        own_xTT, lagged_xTT = sums
        self.own_RxTT[row] += own_xTT
        if lagged_xTT.numel():
            self.lagged_RxTT[row] += lagged_xTT

    @property
    def count(self) -> float:
        """Number of draws, n."""
        return float(self.own_RxTT.flatten()[0])

    def means(self) -> Tensor:
        """Return the mean features (R, x, T)."""
        return self.own_RxTT[..., 0, :] / self.count

    def error(self, gradient_RxT: Tensor) -> Tensor:
        """Return the standard error (R, x) of what has this gradient by the mean features."""
        return standard_error(self.own_RxTT, self.lagged_RxTT, gradient_RxT)

    def root(self, scale: float) -> tuple[Tensor, Tensor]:
        """Return (scale E[f])^(1/2) of the second feature f, (R, x), and its standard error; an exact 0 has 0."""
        value_Rx = (self.means()[..., 1] * scale).sqrt()
        gradient_RxT = torch.zeros_like(self.means())
        gradient_RxT[..., 1] = torch.where(value_Rx > 0, scale / (2 * value_Rx), 0.0)
        return value_Rx, self.error(gradient_RxT)

    def ratio(self) -> tuple[Tensor, Tensor]:
        """Return E[f] / E[g] of the second and third feature, (R, x), and its standard error; NaN where E[g] is 0."""
        mean_RxT = self.means()
        ratio_Rx = mean_RxT[..., 1] / mean_RxT[..., 2]
        gradient_RxT = torch.stack([torch.zeros_like(ratio_Rx), torch.ones_like(ratio_Rx), -ratio_Rx], dim=-1)
        return ratio_Rx, self.error(gradient_RxT / mean_RxT[..., 2:3])

"""Streaming moments of responses: root mean squares of changes, and their standard errors by the delta method.

N draws, D latents, R rows, T = 4 features of a draw. Sums are in float64. Leeb et al. 2022, section 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lrx.responses.work_units import Values


def feature_sums(
    h_ND: Tensor, moved: Sequence[Tensor], partners_NR: Tensor | None, *, centre_D: Tensor, net: int = 1
) -> Values:
    """What `Moments` adds up of responses (N, D) at base points, and (N, D) after the intervention of each of R rows.

    Products (R, D, T, T), rounding (D,), and with partners int64 (N, R), as in `Draws`, lagged products (R, D, T, T).
    Any centre near h(z) keeps the digits of responses that hardly vary. net: so many draws are averaged first.
    """
    products, lagged = [], []
    for row, moved_ND in enumerate(moved):
        d_ND, e_ND = moved_ND.double() - h_ND.double(), h_ND.double() - centre_D
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
    return (torch.stack(products), rounding_D, *([torch.stack(lagged)] if lagged else []))


class Moments:
    """Streaming sums over draws of the products of the features (1, d^2, e, e^2), for each entry of the matrix.

    Of quasi-random draws a net of so many takes the place of one, with the means of its features.

    d = h_k(do(z_j := v)) - h_k(z), e = h_k(z) - a fixed centre. A draw and its partner (see `Draws`) share an image,
    so the variance of a mean over draws from data also needs their covariance: the lagged products.
    Memory: 32 D^2 doubles.
    """

    def __init__(self, latents: int, net: int = 1) -> None:
        """Nothing counted yet."""
        self._net = net
        self.products_DDTT = torch.zeros(latents, latents, 4, 4, dtype=torch.float64)
        self.lagged_DDTT = torch.zeros(latents, latents, 4, 4, dtype=torch.float64)
        self.rounding_D = torch.zeros(latents, dtype=torch.float64)

    @property
    def count(self) -> int:
        """How many draws the first row has seen, and each row once all are added."""
        return self._nets * self._net

    @property
    def _nets(self) -> int:
        return int(self.products_DDTT[0, 0, 0, 0])

    def add(self, row: int, sums: Values) -> None:
        """Add the `feature_sums` of rows from this one on."""
        products_RDTT, rounding_D, *lagged = sums
        rows = slice(row, row + len(products_RDTT))
        self.products_DDTT[rows] += products_RDTT
        for lagged_RDTT in lagged:
            self.lagged_DDTT[rows] += lagged_RDTT
        self.rounding_D = torch.maximum(self.rounding_D, rounding_D)

    def mean_square(self) -> Tensor:
        """E[d^2] (D, D)."""
        return self.products_DDTT[:, :, 0, 1] / self._nets

    def response_std(self) -> Tensor:
        """The standard deviation of h(z) (D,)."""
        mean_DT = self.products_DDTT[0, :, 0] / self._nets
        return (mean_DT[:, 3] - mean_DT[:, 2].square()).clamp(min=0).sqrt()

    def matrix(self, normalization: str) -> tuple[Tensor, Tensor]:
        """The response matrix (D, D) and its standard errors (D, D), by the delta method on the means.

        An exact zero (no draw moved the response) has the standard error 0, which is also the limit: the mean of N
        non-negative numbers has a standard error of at most itself, so its root has at most M / 2 (from data, where
        draws share images, sqrt(3) M / 2). A zero does not exclude moves rarer than 3 in N (95 % confidence).
        Under `std`, a response that varies by no more than rounding counts as constant: its column is 0 where it does
        not move either, and infinite where it moves.
        """
        mean_DDT = self.products_DDTT[:, :, 0] / self._nets
        matrix_DD = (mean_DDT[..., 1] * (1.0 if normalization == "none" else 0.5)).sqrt()
        gradient_DDT = torch.zeros_like(mean_DDT)  # of log M by the means
        gradient_DDT[..., 1] = torch.where(mean_DDT[..., 1] > 0, 0.5 / mean_DDT[..., 1], 0.0)
        if normalization == "std":
            std_D = self.response_std()
            varies_D = std_D > self.rounding_D
            gradient_DDT[..., 2] = torch.where(varies_D, mean_DDT[..., 2] / std_D.square(), 0.0)
            gradient_DDT[..., 3] = torch.where(varies_D, -0.5 / std_D.square(), 0.0)
            constant_DD = torch.where(matrix_DD > self.rounding_D, math.inf, 0.0)
            matrix_DD = torch.where(varies_D, matrix_DD / std_D, constant_DD)
        spread_DD = _variance(self.products_DDTT / self._nets, mean_DDT, gradient_DDT)
        shared_DD = _variance(self.lagged_DDTT / self._nets, mean_DDT, gradient_DDT)
        relative_DD = ((spread_DD + 2 * shared_DD) / (self._nets - 1)).sqrt()
        return matrix_DD, torch.where(matrix_DD.isinf(), math.inf, matrix_DD * relative_DD)


def _variance(products_DDTT: Tensor, mean_DDT: Tensor, gradient_DDT: Tensor) -> Tensor:
    """Mean product of features (whose first is 1) to the variance (D, D) along the gradient, noise below 0 cut off."""
    right_DDTT = products_DDTT - products_DDTT[..., :, :1] * mean_DDT[..., None, :]
    centred_DDTT = right_DDTT - mean_DDT[..., :, None] * right_DDTT[..., :1, :]
    return torch.einsum("jks,jkst,jkt->jk", gradient_DDT, centred_DDTT, gradient_DDT).clamp(min=0)

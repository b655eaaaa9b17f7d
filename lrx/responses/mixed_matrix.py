"""Response matrix of many draws in bf16, corrected by a few further draws in both precisions: two-level Monte Carlo.

    E[d^2] = mean over N draws of d^2 in bf16 + mean over P further draws of (d^2 in float32 - d^2 in bf16)

It has no bias against the matrix in float32. The draws of the two means are independent, so their variances add.
The variance of h(z), for the scale `std`, is corrected in the same way. Source: Giles 2015 (Multilevel Monte Carlo
methods, Acta Numerica 24), with two levels.

Where rounding makes more than half of the variance in bf16, as in rows of dead latents, draws in bf16 say nothing of
the response, and the mean in float32 over the P draws takes the place of the sum above.

N draws in bf16, P draws in both precisions, D latents, U units, R rows, T features.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from lrx.core.types import Array
from lrx.responses.delta_method import standard_error
from lrx.responses.matrix import AXES, ResponseMatrix
from lrx.responses.response_sums import EMPTY
from lrx.responses.units import Units
from lrx.responses.work_units import Values

MOST_ROUNDING = 0.5  # of the variance in bf16, up to which draws in bf16 count
CHANCE, NORMAL = 0.975, 1.959964  # a normal number is below as many standard deviations with this chance


class MixedMatrix(ResponseMatrix):
    """Sums of draws in bf16, as of any `ResponseMatrix`, and of draws in both precisions.

    Features of a draw in both: 1, the difference of d^2 (float32 less bf16), and d^2 in float32; with the scale `std`
    also the differences of e and of e^2, and e and e^2 in float32: T is 7, else 3.
    both_5D: sums of e and e^2 in float32 and in bf16, and of the squared difference of e.
    Memory: T^2 R U doubles more than a `ResponseMatrix`, twice as many from data.
    """

    def __init__(
        self,
        rows: Sequence[int],
        units: Units | int,
        *,
        base: str = "prior",
        net: int = 1,
        num_groups: int = 0,
        with_std: bool = True,
    ) -> None:
        super().__init__(rows, units, base=base, net=net, num_groups=num_groups, with_std=with_std)
        features = 7 if self.with_std else 3
        self.both_RDTT = torch.zeros(len(self.rows), len(self.units), features, features, dtype=torch.float64)
        self.both_lagged_RDTT = EMPTY  # until draws have partners
        self.both_5D = torch.zeros(5, len(self.units.unit_D), dtype=torch.float64)

    @property
    def num_corrections(self) -> int:
        """Number of draws in both precisions, P."""
        return int(self.both_RDTT[0, 0, 0, 0])

    @property
    def num_responses(self) -> int:
        """Number of responses that were computed; a draw in both precisions counts as two."""
        values = len(self.rows) if self.values is None else int((self.values.weights_DV[self.rows] > 0).sum())
        return super().num_responses + 2 * self.num_corrections * (values + 1)

    def add_both(self, row: int, sums: Values) -> None:
        """Add the `sums_of_both` of rows from this one on."""
        products_RDTT, lagged_RDTT, rounding_D, both_5D = sums
        rows = slice(row, row + len(products_RDTT))
        self.both_RDTT[rows] += products_RDTT
        if lagged_RDTT.numel():
            if not self.both_lagged_RDTT.numel():
                self.both_lagged_RDTT = torch.zeros_like(self.both_RDTT)
            self.both_lagged_RDTT[rows] += lagged_RDTT
        self.rounding_D = torch.maximum(self.rounding_D, rounding_D)
        if both_5D.numel():
            self.both_5D += both_5D

    def mean_square(self) -> Tensor:
        """Return E[d^2] (R, D), 0 where the correction is below it."""
        return self._square()[0].clamp(min=0)

    def response_std(self) -> Tensor:
        """Return the standard deviation of h(z), see ResponseMatrix."""
        return self._variance()[0].sqrt()

    def on_scale(self, scale: str) -> tuple[Tensor, Tensor]:
        """Return the matrix (R, D) and its standard errors, see ResponseMatrix; those near zero as `root` has them."""
        constant = 1.0 if scale == "none" else 0.5
        square_RD, counts_RD = self._square()
        gradient_RDT, both_gradient_RDT = torch.zeros_like(self.products_RDTT[:, :, 0]), self._gradient(counts_RD)
        gradient_RDT[..., 1] = counts_RD
        if scale != "std":
            return root(constant * square_RD, constant * self._error(gradient_RDT, both_gradient_RDT))
        variance_D, counts_D = self._variance()
        varies_D = variance_D.sqrt() > self.rounding_D
        variance_D = torch.where(varies_D, variance_D, 1.0)
        ratio_RD = square_RD / variance_D
        e_RD, both_RDT = means(self.products_RDTT)[..., 2], means(self.both_RDTT)
        difference_RD, exact_RD = both_RDT[..., 3], both_RDT[..., 5]
        ones_RD, zeros_RD = torch.ones_like(e_RD), torch.zeros_like(e_RD)
        # of the variance by (e, e^2) in bf16, and by (e, e^2) of differences and in float32
        by_bf16 = torch.stack([-2 * e_RD, ones_RD], -1) * counts_D[:, None]
        differences = torch.stack([2 * (difference_RD - exact_RD), ones_RD, -2 * difference_RD, zeros_RD], -1)
        alone = torch.stack([zeros_RD, zeros_RD, -2 * exact_RD, ones_RD], -1)
        gradient_RDT[..., 2:] = -ratio_RD[..., None] * by_bf16
        both_gradient_RDT[..., 3:] = -ratio_RD[..., None] * torch.where(counts_D[:, None], differences, alone)
        error_RD = self._error(gradient_RDT, both_gradient_RDT) / variance_D
        matrix_RD, se_RD = root(constant * ratio_RD, constant * error_RD)
        moves_RD = (constant * square_RD).clamp(min=0).sqrt() > self.rounding_D
        constant_RD = torch.where(moves_RD, math.inf, 0.0)
        return torch.where(varies_D, matrix_RD, constant_RD), torch.where(varies_D, se_RD, constant_RD)

    def read_back(self) -> tuple[Tensor, Tensor]:
        """Return M_uu / step_u of the rows (R,) and its standard errors, see ResponseMatrix."""
        places = torch.arange(len(self.rows)), torch.tensor(self.rows)
        square_R, counts_R = (part[places] for part in self._square())
        step_R = means(self.own_R33)[:, 2]
        gradient_R3 = torch.stack([torch.zeros_like(step_R), counts_R / step_R, -square_R / step_R.square()], -1)
        bf16_R = standard_error(self.own_R33, self.own_lagged_R33, gradient_R3)
        lagged_RTT = self.both_lagged_RDTT[places] if self.both_lagged_RDTT.numel() else EMPTY
        both_R = standard_error(self.both_RDTT[places], lagged_RTT, self._gradient(counts_R) / step_R[:, None])
        return root(square_R / step_R, total_error(bf16_R, both_R, self.num_corrections))

    def of_rows(self, rows: Sequence[int]) -> MixedMatrix:
        """Return the sums of these units alone, see ResponseMatrix."""
        places = [self.rows.index(row) for row in rows]
        part = MixedMatrix(rows, self.units, base=self.base, net=self.net, with_std=self.with_std)
        vars(part).update(vars(super().of_rows(rows)))
        part.both_RDTT, part.both_5D = self.both_RDTT[places], self.both_5D
        if self.both_lagged_RDTT.numel():
            part.both_lagged_RDTT = self.both_lagged_RDTT[places]
        return part

    def replicates(self, number: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Yield bootstrap matrices, see ResponseMatrix: what draws in both precisions give is in each a normal number
        with its standard error."""
        _, counts_RD = self._square()
        gradient_RDT = self._gradient(counts_RD)
        mean_RD = (gradient_RDT * means(self.both_RDTT)).sum(-1)
        error_RD = standard_error(self.both_RDTT, self.both_lagged_RDTT, gradient_RDT)
        error_RD = total_error(torch.zeros_like(error_RD), error_RD, self.num_corrections)
        for matrix_BRD in super().replicates(number, generator):
            noise_BRD = torch.randn(matrix_BRD.shape, generator=generator, dtype=torch.float64)
            square_BRD = counts_RD * matrix_BRD.square() + mean_RD + error_RD * noise_BRD
            yield square_BRD.clamp(min=0).sqrt()

    def rounding_arrays(self, scale: str) -> dict[str, Array]:
        """Return `rounding` (R, D) of a result: what the correction moves the matrix of bf16 by, on one of SCALES."""
        bf16_RD, matrix_RD = super().on_scale(scale)[0], self.on_scale(scale)[0]
        moved_RD = torch.where(bf16_RD == matrix_RD, 0.0, (bf16_RD - matrix_RD).abs())  # both may be infinite
        unit = "std of response" if scale == "std" else "latent"
        description = f"what bf16 alone would be off by, as corrected by {self.num_corrections} draws in both"
        return {"rounding": Array(moved_RD.numpy(), AXES, unit, description)}

    def _square(self) -> tuple[Tensor, Tensor]:
        """Return E[d^2] (R, D), maybe below 0 within its error, and where draws in bf16 count, bool (R, D)."""
        of_bf16_RD = self.net * variance_of(self.products_RDTT, 1)
        counts_RD = variance_of(self.both_RDTT, 1) <= MOST_ROUNDING * of_bf16_RD
        mean_RDT = means(self.both_RDTT)
        corrected_RD = means(self.products_RDTT)[..., 1] + mean_RDT[..., 1]
        return torch.where(counts_RD, corrected_RD, mean_RDT[..., 2]), counts_RD

    def _gradient(self, counts_x: Tensor) -> Tensor:
        """Return the gradient (..., T) of E[d^2] by the features of draws in both precisions."""
        gradient_xT = torch.zeros(*counts_x.shape, self.both_RDTT.shape[-1], dtype=torch.float64)
        gradient_xT[..., 1], gradient_xT[..., 2] = counts_x, ~counts_x
        return gradient_xT

    def _variance(self) -> tuple[Tensor, Tensor]:
        """Return the variance of h(z) (U,), and where draws in bf16 count, bool (U,)."""
        exact_D, exact_2_D, rounded_D, rounded_2_D, gap_2_D = self.both_5D / self.num_corrections
        of_bf16_U = super().response_std().square()
        of_rounding_D = gap_2_D - (exact_D - rounded_D).square()
        counts_U = self.units.pooled(of_rounding_D) <= MOST_ROUNDING * of_bf16_U
        unbiased = self.num_corrections / (self.num_corrections - 1)
        alone_U = unbiased * self.units.pooled(exact_2_D - exact_D.square())
        corrected_U = of_bf16_U + alone_U - unbiased * self.units.pooled(rounded_2_D - rounded_D.square())
        return torch.where(counts_U, corrected_U, alone_U).clamp(min=0), counts_U

    def _error(self, gradient_RDT: Tensor, both_gradient_RDT: Tensor) -> Tensor:
        bf16_RD = standard_error(self.products_RDTT, self.lagged_RDTT, gradient_RDT)
        both_RD = standard_error(self.both_RDTT, self.both_lagged_RDTT, both_gradient_RDT)
        return total_error(bf16_RD, both_RD, self.num_corrections)


def total_error(bf16_x: Tensor, both_x: Tensor, corrections: int) -> Tensor:
    """Return the standard error of a sum of what draws in bf16 and draws in both precisions give.

    It is widened as a 95 % interval of Student's t is against a normal one, at the degrees of freedom of Welch and
    Satterthwaite, those of the draws in bf16 being many.
    """
    from scipy.special import stdtrit

    variance_x = bf16_x.square() + both_x.square()
    freedom_x = (corrections - 1) * (variance_x / both_x.square()).square()
    quantile_x = torch.from_numpy(stdtrit(freedom_x.nan_to_num(1e6).clamp(max=1e6).numpy(), CHANCE))
    return variance_x.sqrt() * quantile_x / NORMAL


def root(square_x: Tensor, error_x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the root of an estimate, 0 where that is below 0, and its standard error.

    It is error / (2 root), by the delta method, which understates it within a few errors of zero. There it grows, so
    that root +- 1.96 standard errors has 0 up to an estimate of 1.96 errors, and sqrt(1.96 error) from one of 0 on.
    """
    bound_x = NORMAL * error_x
    upper_x = torch.maximum(square_x, bound_x).sqrt()
    lower_x = upper_x * (1 - (bound_x / upper_x.square()).square())
    return square_x.clamp(min=0).sqrt(), torch.where(error_x == 0, 0.0, error_x / (upper_x + lower_x))


def means(products_xTT: Tensor) -> Tensor:
    """Return the mean features (..., T) from their products (..., T, T)."""
    return products_xTT[..., 0, :] / products_xTT[..., 0, :1]


def variance_of(products_xTT: Tensor, feature: int) -> Tensor:
    """Return the variance (...) of a feature from the products (..., T, T)."""
    square_x = products_xTT[..., feature, feature] / products_xTT[..., 0, 0]
    return square_x - means(products_xTT)[..., feature].square()

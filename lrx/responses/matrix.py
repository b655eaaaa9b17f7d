"""Response matrix M_jk = sqrt(c E[(h_k(do(z_j := v)) - h_k(z))^2]): its sums, standard errors and bootstrap.

c = 1/2 on the scales `half` and `std` (which also divides column k by the standard deviation of h_k(z)), c = 1 on
`none`. Source: Leeb et al. 2022 (arXiv 2106.16091), section 3.

With d = h_k(do(z_j := v)) - h_k(z), e = h_k(z) - a fixed centre, and the features f = (1, d^2, e, e^2) of a draw, M is
a function of E[f]; on the scale `std`, log M = (log E[d^2] - log(E[e^2] - E[e]^2)) / 2 + constant. The delta method
takes its gradient g by E[f], and the variance of log M is g' Cov[f] g / (n - 1) for n independent draws.
Quasi-random draws come in nets: the mean of a net takes the place of a draw, and as nets are independent, their spread
gives an honest error (Owen 1997).

N draws, D latents, R rows, T = 4 features, G groups of draws. Sums are in float64 (`lrx.responses.response_sums`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from lrx.core.types import Array, Autoencoder
from lrx.responses.draws import blocks
from lrx.responses.interventions import row_units
from lrx.responses.measurement import Measurement
from lrx.responses.response_sums import unit_sums
from lrx.responses.work_units import Values

SCALES = ("half", "none", "std")
SCALE = "half"  # on which results show responses, but for a response matrix that is asked for on another
AXES = ("intervened", "responding")
LEAST_QUASI = 256  # draws from which on the spread of nets is no larger than that of independent draws
GROUPS = 128  # groups of draws that a bootstrap draws from, at most
ENTRIES = 2**22  # entries of bootstrap replicates held in memory at a time


class ResponseMatrix:
    """Running sums over draws, from which the response matrix follows on each scale, with its errors and bootstrap.

    base: where the draws come from. rows: the latents that were set, in order. net: draws of a net, 1 for independent
    draws. A draw and its partner (see `Draws`) share an image, so the variance of a mean over draws from data also
    needs their covariance: the lagged products.
    num_groups: of groups of draws kept for `replicates`, 0 for none.
    Memory: 32 R D doubles, and num_groups R D more.
    """

    def __init__(
        self, rows: Sequence[int], latents: int, *, base: str = "prior", net: int = 1, num_groups: int = 0
    ) -> None:
        self.rows, self.base, self.net = list(rows), base, net
        shape = (len(self.rows), latents)
        self.products_RDTT = torch.zeros(*shape, 4, 4, dtype=torch.float64)
        self.lagged_RDTT = torch.zeros(*shape, 4, 4, dtype=torch.float64)
        self.rounding_D = torch.zeros(latents, dtype=torch.float64)
        self.squares_GRD = torch.zeros(num_groups, *shape, dtype=torch.float64)
        self.counts_G = torch.zeros(num_groups, dtype=torch.float64)

    @property
    def num_samples(self) -> int:
        """Number of draws that the first row has seen, and each row once all are added."""
        return self._nets * self.net

    @property
    def num_groups(self) -> int:
        """Number of groups that have draws."""
        return int((self.counts_G > 0).sum())

    @property
    def _nets(self) -> int:
        return int(self.products_RDTT[0, 0, 0, 0])

    def add(self, row: int, sums: Values) -> None:
        """Add the `feature_sums`, and where there are groups the `group_sums`, of rows from this one on."""
        products_RDTT, rounding_D, lagged_RDTT, *grouped = sums
        rows = slice(row, row + len(products_RDTT))
        self.products_RDTT[rows] += products_RDTT
        if lagged_RDTT.numel():
            self.lagged_RDTT[rows] += lagged_RDTT
        self.rounding_D = torch.maximum(self.rounding_D, rounding_D)
        if grouped:
            groups_g, counts_g, squares_gRD = grouped
            self.squares_GRD[groups_g, rows] += squares_gRD
            if row == 0:
                self.counts_G[groups_g] += counts_g

    def mean_square(self) -> Tensor:
        """Return E[d^2] (R, D)."""
        return self.products_RDTT[:, :, 0, 1] / self._nets

    def response_std(self) -> Tensor:
        """Return the standard deviation of h(z) (D,)."""
        mean_DT = self.products_RDTT[0, :, 0] / self._nets
        return (mean_DT[:, 3] - mean_DT[:, 2].square()).clamp(min=0).sqrt()

    def on_scale(self, scale: str) -> tuple[Tensor, Tensor]:
        """Return the matrix (R, D) on one of SCALES and its standard errors (R, D), by the delta method.

        An exact zero (no draw moved the response) has the standard error 0, which is also the limit: the mean of N
        non-negative numbers has a standard error of at most itself, so its root has at most M / 2 (from data, where
        draws share images, sqrt(3) M / 2). A zero does not exclude moves rarer than 3 in N (95 % confidence).
        On `std`, a response that varies by no more than rounding counts as constant: its column is 0 where it does
        not move either, and infinite where it moves.
        """
        mean_RDT = self.products_RDTT[:, :, 0] / self._nets
        matrix_RD = (mean_RDT[..., 1] * (1.0 if scale == "none" else 0.5)).sqrt()
        gradient_RDT = torch.zeros_like(mean_RDT)  # of log M by E[f]
        gradient_RDT[..., 1] = torch.where(mean_RDT[..., 1] > 0, 0.5 / mean_RDT[..., 1], 0.0)
        if scale == "std":
            std_D = self.response_std()
            varies_D = std_D > self.rounding_D
            gradient_RDT[..., 2] = torch.where(varies_D, mean_RDT[..., 2] / std_D.square(), 0.0)
            gradient_RDT[..., 3] = torch.where(varies_D, -0.5 / std_D.square(), 0.0)
            constant_RD = torch.where(matrix_RD > self.rounding_D, math.inf, 0.0)
            matrix_RD = torch.where(varies_D, matrix_RD / std_D, constant_RD)
        spread_RD = _variance(self.products_RDTT / self._nets, mean_RDT, gradient_RDT)
        shared_RD = _variance(self.lagged_RDTT / self._nets, mean_RDT, gradient_RDT)
        relative_RD = ((spread_RD + 2 * shared_RD) / (self._nets - 1)).sqrt()
        return matrix_RD, torch.where(matrix_RD.isinf(), math.inf, matrix_RD * relative_RD)

    def self_responses(self, scale: str) -> tuple[Tensor, Tensor]:
        """Return M_jj of the rows (R,) and its standard errors (R,)."""
        places = torch.arange(len(self.rows)), torch.tensor(self.rows)
        matrix_RD, se_RD = self.on_scale(scale)
        return matrix_RD[places], se_RD[places]

    def of_rows(self, rows: Sequence[int]) -> ResponseMatrix:
        """Return the sums of these latents alone. ValueError for one that was not set."""
        places = [self.rows.index(row) for row in rows]
        part = ResponseMatrix(rows, len(self.rounding_D), base=self.base, net=self.net)
        part.products_RDTT, part.lagged_RDTT = self.products_RDTT[places], self.lagged_RDTT[places]
        part.squares_GRD, part.counts_G = self.squares_GRD[:, places], self.counts_G
        part.rounding_D = self.rounding_D
        return part

    def replicates(self, number: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Yield matrices (B, R, D) on the scale `none` of `number` bootstrap samples of groups, some B at a time."""
        filled_G = self.counts_G > 0
        counts_G, squares_GE = self.counts_G[filled_G], self.squares_GRD[filled_G].flatten(1)
        groups, entries = squares_GE.shape
        picks_BG = torch.randint(groups, (number, groups), generator=generator)
        times_BG = torch.zeros(number, groups, dtype=torch.float64).scatter_add_(
            1, picks_BG, torch.ones(number, groups, dtype=torch.float64)
        )
        for part_BG in torch.split(times_BG, max(1, ENTRIES // entries)):
            mean_BE = (part_BG @ squares_GE) / (part_BG @ counts_G)[:, None]
            yield mean_BE.sqrt().view(-1, *self.squares_GRD.shape[1:])


def measure_matrix(
    m: Measurement,
    *,
    base: str,
    num_samples: int,
    net: int = 1,
    rows: Sequence[int] | None = None,
    num_groups: int = 0,
    autoencoder: Autoencoder | None = None,
    enough: Callable[[ResponseMatrix], bool] = lambda matrix: False,
) -> ResponseMatrix:
    """Measure rows of the response matrix over `num_samples` draws, each used by every row.

    base, net: see `lrx.responses.draws.blocks`; with nets, num_samples is a multiple of `net`.
    rows: the latents to set, None for all. num_groups: see `ResponseMatrix`, at most one for each net.
    autoencoder: the model in another form, such as in bf16; draws still come from the measurement's own.
    enough: called whenever all rows have seen the same draws; True ends the sampling.
    The measurement's progress hears of the responses computed, of (R + 1) num_samples; its share says which to compute.
    ValueError for a base that model or data cannot give, or responses that are not finite.
    """
    rows = list(range(m.num_latents)) if rows is None else list(rows)
    num_groups = min(num_groups, GROUPS, num_samples // net)
    matrix = ResponseMatrix(rows, m.num_latents, base=base, net=net, num_groups=num_groups)
    drawn = blocks(m, base=base, net=net)
    sums = functools.partial(unit_sums, net=net, num_groups=num_groups, num_samples=num_samples)
    units = row_units(
        autoencoder or m.autoencoder, drawn, rows=rows, num_samples=num_samples, batch_size=m.batch_size, sums=sums
    )
    total = num_samples * (len(rows) + 1)
    for (_, row), values in m.share.values(units, total=total, progress=lambda done: m.progress(done, total)):
        matrix.add(row, values)
        if row + len(values[0]) == len(rows) and enough(matrix):  # all rows have seen the block
            break
    return matrix


def shared_or_measured(
    m: Measurement,
    *,
    num_samples: int | None,
    default: int,
    base: str = "prior",
    rows: Sequence[int] | None = None,
    num_groups: int = 0,
) -> ResponseMatrix:
    """Return the matrix measured in this run where num_samples is None and the base is the same; else measure one.

    default: the number of independent draws where num_samples is None and there is no such matrix.
    rows, num_groups: see `measure_matrix`; a matrix of this run has all rows, and the groups it has.
    """
    if m.matrix is not None and serves(m, num_samples=num_samples, base=base):
        return m.matrix if rows is None else m.matrix.of_rows(rows)
    count = num_samples or default
    return measure_matrix(m, base=base, num_samples=count, rows=rows, num_groups=num_groups)


def matrix_arrays(matrix: ResponseMatrix, scale: str) -> dict[str, Array]:
    """Return `matrix` and `matrix_se` (R, D) of a result, on one of SCALES, which their descriptions name."""
    matrix_RD, se_RD = matrix.on_scale(scale)
    unit = "std of response" if scale == "std" else "latent"
    return {
        "matrix": Array(matrix_RD.numpy(), AXES, unit, f"latent response matrix, normalization {scale}"),
        "matrix_se": Array(se_RD.numpy(), AXES, unit, "standard error of the latent response matrix"),
    }


def serves(m: Measurement, *, num_samples: int | None, base: str = "prior") -> bool:
    """Return whether `shared_or_measured` takes the matrix measured in this run, and computes no response."""
    return num_samples is None and m.matrix is not None and m.matrix.base == base


def net_size(num_samples: int) -> int:
    """Return the draws of a net: a power of two of at most 32, so that at least 32 nets give a fair error.

    1, for independent draws, below `LEAST_QUASI`: nets of 2 or 4 points spread wider than independent ones.
    """
    return 1 if num_samples < LEAST_QUASI else min(32, 1 << ((num_samples // 32).bit_length() - 1))


def _variance(products_RDTT: Tensor, mean_RDT: Tensor, gradient_RDT: Tensor) -> Tensor:
    """Return the variance (R, D) along the gradient, from mean products of features; noise below 0 is cut off."""
    right_RDTT = products_RDTT - products_RDTT[..., :, :1] * mean_RDT[..., None, :]
    centred_RDTT = right_RDTT - mean_RDT[..., :, None] * right_RDTT[..., :1, :]
    return torch.einsum("jks,jkst,jkt->jk", gradient_RDT, centred_RDTT, gradient_RDT).clamp(min=0)

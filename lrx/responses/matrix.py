"""Response matrix M_jk = sqrt(c E[(h_k(do(z_j := v)) - h_k(z))^2]): its sums, standard errors and bootstrap.

c = 1/2 on the scales `half` and `std` (which also divides column k by the standard deviation of h_k(z)), c = 1 on
`none`. Source: Leeb et al. 2022 (arXiv 2106.16091), section 3.

With d = h_k(do(z_j := v)) - h_k(z), e = h_k(z) - a fixed centre, and the features f = (1, d^2, e, e^2) of a draw, M is
a function of E[f]; on the scale `std`, log M = (log E[d^2] - log(E[e^2] - E[e]^2)) / 2 + constant. The delta method
takes its gradient g by E[f], and the variance of log M is g' Cov[f] g / (n - 1) for n independent draws.
Quasi-random draws come in nets: the mean of a net takes the place of a draw, and as nets are independent, their spread
gives an honest error (Owen 1997).

Rows and columns are units (`lrx.responses.units`): single latents, or several that are set together, whose d^2 is the
mean over them. N draws, D latents, U units, R rows, T features, G groups of draws. Sums are in float64
(`lrx.responses.response_sums`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from lrx.responses.delta_method import standard_error
from lrx.responses.enumeration import Enumeration
from lrx.responses.resampled_means import ENTRIES, resampled_means
from lrx.responses.response_sums import EMPTY
from lrx.responses.units import Units, elements
from lrx.responses.work_units import Values

SCALES = ("half", "none", "std")
SCALE = "half"  # on which results show responses, but for a response matrix that is asked for on another
AXES = ("intervened", "responding")


class ResponseMatrix:
    """Running sums over draws, from which the response matrix follows on each scale, with its errors and bootstrap.

    base: where the draws come from. rows: the units that were set, in order. units: U of them. net: draws of a net, 1
    for independent draws, of all rows or of each. A draw and its partner (see `Draws`) share an image, so the variance
    of a mean over draws from data also needs their covariance: the lagged products.
    num_pilot, num_pilot_responses: of a pilot, which decides how many draws each row gets (`lrx.responses.adaptive`).
    num_groups: of groups of draws kept for `replicates`, 0 for none. values: of quantised latents, which are all set.
    with_std: whether the scale `std` can be had, of single latents alone: T is 4, else 2.
    Memory: T^2 R U doubles, twice as many where the base is data, and num_groups R U more.
    """

    def __init__(
        self,
        rows: Sequence[int],
        units: Units | int,
        *,
        base: str = "prior",
        net: int | Sequence[int] = 1,
        num_groups: int = 0,
        with_std: bool = True,
    ) -> None:
        self.units = elements(units) if isinstance(units, int) else units
        self.values: Enumeration | None = None
        self.rows, self.base, self.with_std = list(rows), base, with_std
        self.net_R = torch.tensor([net] * len(self.rows) if isinstance(net, int) else net, dtype=torch.int64)
        self.num_pilot = self.num_pilot_responses = 0
        shape, features = (len(self.rows), len(self.units)), 4 if with_std else 2
        latents = len(self.units.unit_D)
        self.products_RDTT = torch.zeros(*shape, features, features, dtype=torch.float64)
        self.lagged_RDTT = EMPTY  # until draws have partners
        self.own_R33 = torch.zeros(len(self.rows), 3, 3, dtype=torch.float64)
        self.own_lagged_R33 = EMPTY
        self.moments_4D = torch.zeros(4, latents, dtype=torch.float64)  # number, centre, and sums of e and e^2
        self.rounding_D = torch.zeros(latents, dtype=torch.float64)
        self.squares_GRD = torch.zeros(num_groups, *shape, dtype=torch.float64)
        self.counts_GR = torch.zeros(num_groups, len(self.rows), dtype=torch.float64)

    @property
    def num_nets(self) -> Tensor:
        """Number of independent nets, or draws, of each row (R,): its errors have one degree of freedom less."""
        return self.products_RDTT[:, 0, 0, 0]

    @property
    def num_draws(self) -> Tensor:
        """Number of draws that each row has seen, int64 (R,)."""
        return self.num_nets.long() * self.net_R

    @property
    def num_samples(self) -> int:
        """Number of draws that each row has seen; where they differ, the largest."""
        return int(self.num_draws.max())

    @property
    def net(self) -> int:
        """Number of draws of a net; where rows differ, the largest."""
        return int(self.net_R.max())

    @property
    def num_responses(self) -> int:
        """Number of responses that were computed, those of a pilot among them."""
        values_R = 1 if self.values is None else (self.values.weights_DV[self.rows] > 0).sum(1)
        return self.num_pilot_responses + int(self.moments_4D[0, 0]) + int((self.num_draws * values_R).sum())

    @property
    def num_groups(self) -> int:
        """Number of groups that have draws, of the row that has fewest."""
        return int((self.counts_GR > 0).sum(0).min()) if self.counts_GR.numel() else 0

    def add(self, row: int | Sequence[int], sums: Values) -> None:
        """Add the `unit_sums`, or the `feature_sums` alone, of rows from this place on, or of those at these places."""
        products_RDTT, lagged_RDTT, rounding_D, *more = sums
        rows = torch.tensor(range(row, row + len(products_RDTT)) if isinstance(row, int) else row)
        self.products_RDTT[rows] += products_RDTT
        if lagged_RDTT.numel():
            if not self.lagged_RDTT.numel():
                self.lagged_RDTT, self.own_lagged_R33 = map(torch.zeros_like, (self.products_RDTT, self.own_R33))
            self.lagged_RDTT[rows] += lagged_RDTT
        self.rounding_D = torch.maximum(self.rounding_D, rounding_D)
        if more:
            own_R33, own_lagged_R33, moments_4D = more[:3]
            self.own_R33[rows] += own_R33
            if own_lagged_R33.numel():
                self.own_lagged_R33[rows] += own_lagged_R33
            if moments_4D.numel():
                self.moments_4D += moments_4D
                self.moments_4D[1] = moments_4D[1]  # all draws have the same centre
        if more[3:]:
            groups_g, counts_gR, squares_gRD = more[3:]
            self.squares_GRD[groups_g[:, None], rows] += squares_gRD
            self.counts_GR[groups_g[:, None], rows] += counts_gR

    def total(self, rows: range, parts: Iterable[tuple[int, Values]]) -> Values:
        """Return what `add` takes of some rows and all draws, as added up from parts, each with its first row."""
        own = ResponseMatrix(
            rows, self.units, base=self.base, net=self.net, num_groups=len(self.counts_GR), with_std=self.with_std
        )
        for row, values in parts:
            own.add(row - rows.start, values)
        more = (torch.arange(len(own.counts_GR)), own.counts_GR, own.squares_GRD) if len(own.counts_GR) else ()
        moments_4D = own.moments_4D if rows.start == 0 else EMPTY
        return own.products_RDTT, own.lagged_RDTT, own.rounding_D, own.own_R33, own.own_lagged_R33, moments_4D, *more

    def mean_square(self) -> Tensor:
        """Return E[d^2] (R, D)."""
        return self.products_RDTT[:, :, 0, 1] / self.num_nets[:, None]

    def mean_response(self) -> Tensor:
        """Return the mean of h(z) (D,)."""
        return self.moments_4D[1] + self.moments_4D[2] / self.moments_4D[0]

    def response_std(self) -> Tensor:
        """Return the standard deviation of h(z) (U,), of a unit the root of the mean variance of its latents."""
        mean_4D = self.moments_4D / self.moments_4D[0]
        return self.units.pooled((mean_4D[3] - mean_4D[2].square()).clamp(min=0)).sqrt()

    def on_scale(self, scale: str) -> tuple[Tensor, Tensor]:
        """Return the matrix (R, D) on one of SCALES and its standard errors (R, D), by the delta method.

        An exact zero (no draw moved the response) has the standard error 0, which is also the limit: the mean of N
        non-negative numbers has a standard error of at most itself, so its root has at most M / 2 (from data, where
        draws share images, sqrt(3) M / 2). A zero does not exclude moves rarer than 3 in N (95 % confidence).
        On `std`, a response that varies by no more than rounding counts as constant: its column is 0 where it does
        not move either, and infinite where it moves.
        """
        step = max(1, ENTRIES // 8 // max(1, self.products_RDTT[0].numel()))  # an error takes several times its sums
        parts = [self._on_scale(scale, slice(row, row + step)) for row in range(0, len(self.rows), step)]
        matrices, errors = zip(*parts, strict=True)
        return torch.cat(matrices), torch.cat(errors)

    def _on_scale(self, scale: str, rows: slice) -> tuple[Tensor, Tensor]:
        products_RDTT = self.products_RDTT[rows]
        mean_RDT = products_RDTT[:, :, 0] / self.num_nets[rows, None, None]
        matrix_RD = (mean_RDT[..., 1] * (1.0 if scale == "none" else 0.5)).sqrt()
        gradient_RDT = torch.zeros_like(mean_RDT)  # of log M by E[f]
        gradient_RDT[..., 1] = torch.where(mean_RDT[..., 1] > 0, 0.5 / mean_RDT[..., 1], 0.0)
        if scale == "std":
            assert self.with_std
            std_RD = (mean_RDT[..., 3] - mean_RDT[..., 2].square()).clamp(min=0).sqrt()  # over the draws of each row
            varies_RD = std_RD > self.rounding_D
            gradient_RDT[..., 2] = torch.where(varies_RD, mean_RDT[..., 2] / std_RD.square(), 0.0)
            gradient_RDT[..., 3] = torch.where(varies_RD, -0.5 / std_RD.square(), 0.0)
            constant_RD = torch.where(matrix_RD > self.rounding_D, math.inf, 0.0)
            matrix_RD = torch.where(varies_RD, matrix_RD / std_RD, constant_RD)
        lagged_RDTT = self.lagged_RDTT[rows]  # or empty
        relative_RD = standard_error(products_RDTT, lagged_RDTT, gradient_RDT)
        return matrix_RD, torch.where(matrix_RD.isinf(), math.inf, matrix_RD * relative_RD)

    def self_responses(self, scale: str) -> tuple[Tensor, Tensor]:
        """Return M_jj of the rows (R,) and its standard errors (R,)."""
        places = torch.arange(len(self.rows)), torch.tensor(self.rows)
        matrix_RD, se_RD = self.on_scale(scale)
        return matrix_RD[places], se_RD[places]

    def step(self, scale: str) -> Tensor:
        """Return the root mean square of the step v - z of each row (R,), on a scale other than `std`."""
        return (self.own_R33[:, 0, 2] / self.num_nets * (1.0 if scale == "none" else 0.5)).sqrt()

    def read_back(self) -> tuple[Tensor, Tensor]:
        """Return M_uu / step_u of the rows (R,) and its standard errors (R,): 1 is a unit that is read as it was set.

        A unit that no draw moved has none: NaN.
        """
        mean_R3 = self.own_R33[:, 0] / self.num_nets[:, None]
        ratio_R = (mean_R3[:, 1] / mean_R3[:, 2]).sqrt()
        gradient_R3 = torch.zeros_like(mean_R3)  # of the log of the ratio
        for feature, sign in ((1, 0.5), (2, -0.5)):
            gradient_R3[:, feature] = torch.where(mean_R3[:, feature] > 0, sign / mean_R3[:, feature], 0.0)
        return ratio_R, ratio_R * standard_error(self.own_R33, self.own_lagged_R33, gradient_R3)

    def of_rows(self, rows: Sequence[int]) -> ResponseMatrix:
        """Return the sums of these units alone. ValueError for one that was not set."""
        places = [self.rows.index(row) for row in rows]
        nets = self.net_R[places].tolist()
        part = ResponseMatrix(rows, self.units, base=self.base, net=nets, with_std=self.with_std)
        part.own_R33, part.products_RDTT = self.own_R33[places], self.products_RDTT[places]
        if self.lagged_RDTT.numel():
            part.own_lagged_R33, part.lagged_RDTT = self.own_lagged_R33[places], self.lagged_RDTT[places]
        part.moments_4D = self.moments_4D
        part.squares_GRD, part.counts_GR = self.squares_GRD[:, places], self.counts_GR[:, places]
        part.rounding_D, part.values = self.rounding_D, self.values
        return part

    def replicates(self, number: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Yield matrices (B, R, D) on the scale `none` of `number` bootstrap samples of groups, some B at a time."""
        for mean_BRD in resampled_means(self.squares_GRD, self.counts_GR, number, generator):
            yield mean_BRD.sqrt()

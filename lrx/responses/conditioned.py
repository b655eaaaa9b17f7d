"""Responses conditioned on one factor: the response of a latent set to its value at another class of the factor.

A group is all K values of a factor with the other factors fixed; S (K, D) are its codes. For latent j and an ordered
pair a != b of the group, d = h_j(do(S_a; j := S_bj)) - h_j(S_a).
Source: Leeb et al. 2022 (arXiv 2106.16091), section 3. G groups, K values, D latents, P pairs, R (group, latent) pairs.
h(S) is computed once per group, and only d of the latent that was set is stored.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lrx.core.devices import to_device
from lrx.core.factors import FactorSpace
from lrx.core.types import Dataset, FactorDataset, with_factors
from lrx.responses.encoding import encode_images
from lrx.responses.latent_response import POINTS, respond
from lrx.responses.measurement import Measurement
from lrx.responses.work_units import Values, WorkUnit

PAIRS = 2**16  # pairs in memory at once


@dataclass(frozen=True)
class GroupResponses:
    """Mean squares of d over the pairs of each group, float64 on the CPU.

    mean_square_GD: mean of d^2 over P pairs of the group.
    variance_GD: sampling variance of that mean over the choice of pairs; 0 where all K (K - 1) pairs were taken.
    num_groups: number of groups in the grid; G of them were drawn, each at most once.
    num_pairs, num_responses: P, and the number of responses that were computed.
    """

    mean_square_GD: Tensor
    variance_GD: Tensor
    num_groups: int
    num_pairs: int
    num_responses: int

    def rms(self) -> tuple[Tensor, Tensor]:
        """Return the root mean square of d (G, D) and its sampling variance over the choice of pairs (G, D).

        The root of a mean over drawn pairs is biased by -variance / (8 mean^(3/2)), to second order; this is corrected.
        """
        root_GD = self.mean_square_GD.sqrt()
        relative_GD = torch.where(self.mean_square_GD > 0, self.variance_GD / self.mean_square_GD.square(), 0.0)
        return root_GD * (1 + relative_GD / 8), self.mean_square_GD * relative_GD / 4


def varying_factors(dataset: Dataset, purpose: str) -> tuple[FactorSpace, list[int]]:
    """Return the factors of a data set, and the numbers of those that have two values or more.

    ValueError says that `purpose` (such as "assay=conditioned_response") needs factors, or one that varies.
    """
    factors = with_factors(dataset, purpose).factors
    varying = [factor for factor, size in enumerate(factors.sizes) if size > 1]
    if not varying:
        raise ValueError(f"{purpose} needs a factor of two values or more, {dataset.name} has none")
    return factors, varying


def conditioned_responses(m: Measurement, factor: int, *, num_groups: int, max_pairs: int) -> GroupResponses:
    """Measure the responses of every unit to one factor, over groups drawn without replacement (at most all).

    max_pairs: pairs for each group and latent. All are taken where K (K - 1) is no more, otherwise this many are drawn
    without replacement. Latents that do not vary within a group, beyond rounding, have d = 0 and are not decoded.
    Memory: a few batches, the codes of a group and `PAIRS` pairs, whatever D, and 16 G D bytes of results.
    """
    work = group_units(m, factor, num_groups=num_groups, max_pairs=max_pairs)
    return combine(factors_of(m), factor, [unit.evaluate() for unit in work], max_pairs=max_pairs)


def named(response_FD: Tensor, threshold: float) -> Tensor:
    """Return the latents that each factor names, bool (F, D): responses from `threshold` times the factor's largest."""
    largest_F1 = response_FD.amax(1, keepdim=True)
    return (response_FD >= threshold * largest_F1) & (largest_F1 > 0)


def group_units(m: Measurement, factor: int, *, num_groups: int, max_pairs: int) -> Iterator[WorkUnit]:
    """Yield the work of `conditioned_responses`, over the first groups of a random order: see `units_of_groups`."""
    return units_of_groups(m, factor, group_order(m, factor)[:num_groups], max_pairs=max_pairs)


def group_order(m: Measurement, factor: int) -> Tensor:
    """Return the numbers of all groups of a factor in random order, int64."""
    factors = factors_of(m)
    return torch.randperm(factors.num_points // factors.sizes[factor], generator=m.generator)


def units_of_groups(
    m: Measurement, factor: int, chosen: Tensor, *, max_pairs: int, first: int = 0
) -> Iterator[WorkUnit]:
    """Yield the work of groups by number: units of as many as fit `POINTS` responses.

    first: number of groups of the factor that came before these. Keys are (factor, first group). Each unit draws its
    pairs, where not all are taken, from a seed of its own. Values of a unit: mean squares (G, D), their variances
    (G, D), and the number of computed responses, a scalar.
    """
    factors = factors_of(m)
    size = factors.sizes[factor]
    pairs = _num_pairs(size, max_pairs)
    step = max(1, POINTS // (size + len(m.units) * pairs))
    for place, numbers in enumerate(torch.split(chosen, step)):
        seed = int(torch.randint(2**62, (), generator=m.generator)) if pairs < _num_pairs(size) else 0
        evaluate = functools.partial(_evaluate, m, group_indices(factors, factor, numbers), pairs, seed)
        yield WorkUnit((factor, first + place * step), len(numbers) * (size + len(m.units) * pairs), evaluate)


def num_responses(factors: FactorSpace, factor: int, latents: int, *, num_groups: int, max_pairs: int) -> int:
    """Return the number of responses of all units of a factor, including those that are 0 without being computed."""
    size = factors.sizes[factor]
    return min(num_groups, factors.num_points // size) * (size + latents * _num_pairs(size, max_pairs))


def combine(factors: FactorSpace, factor: int, values: Sequence[Values], *, max_pairs: int) -> GroupResponses:
    """Combine the values of all units of a factor, in their order."""
    size = factors.sizes[factor]
    mean_square, variance, computed = zip(*values, strict=True)
    return GroupResponses(
        torch.cat(mean_square),
        torch.cat(variance),
        num_groups=factors.num_points // size,
        num_pairs=_num_pairs(size, max_pairs),
        num_responses=sum(int(count) for count in computed),
    )


def factors_of(m: Measurement) -> FactorSpace:
    """Return the factors of the data."""
    assert isinstance(m.dataset, FactorDataset)
    return m.dataset.factors


def _num_pairs(size: int, most: int | None = None) -> int:
    """Number of ordered pairs of different values, at most `most`."""
    return size * (size - 1) if most is None else min(most, size * (size - 1))


def _evaluate(m: Measurement, indices_GK: Tensor, num_pairs: int, seed: int) -> Values:
    """Values of a work unit; see `group_units`."""
    groups, size = indices_GK.shape
    generator = torch.Generator().manual_seed(seed)
    codes_ND = encode_images(m.autoencoder, m.dataset, indices_GK.flatten(), batch_size=m.batch_size)
    codes_GKD = codes_ND.view(groups, size, -1)
    varies_GD = m.units.pooled(varies(codes_GKD).double().cpu()) > 0
    responding = varies_GD.any(1)
    h_GKD = torch.zeros_like(codes_GKD)
    h_ND = respond(m.autoencoder, codes_GKD[responding].flatten(0, 1), batch_size=m.batch_size)
    h_GKD[responding] = h_ND.view(-1, *codes_GKD.shape[1:])
    computed = len(h_ND)
    mean_square_GD = torch.zeros(varies_GD.shape, dtype=torch.float64)
    variance_GD = torch.zeros_like(mean_square_GD)
    for latents in torch.split(torch.arange(len(m.units)), max(1, PAIRS // (groups * num_pairs))):
        pairs_RP = draw_pairs(size, groups * len(latents), num_pairs, generator)
        rows = varies_GD[:, latents].flatten().cpu().nonzero()[:, 0]
        groups_R, latents_R = rows // len(latents), latents[rows % len(latents)]
        d_RP = _differences(m, codes_GKD, h_GKD, groups_R, latents_R, pairs_RP[rows])
        mean_square_GD[groups_R, latents_R] = d_RP.mean(1)
        if num_pairs < _num_pairs(size) and len(rows):  # torch warns of the variance of an empty tensor
            remaining = 1 - num_pairs / _num_pairs(size)
            variance_GD[groups_R, latents_R] = remaining * d_RP.var(1) / num_pairs
        computed += d_RP.numel()
    return mean_square_GD, variance_GD, torch.tensor(computed)


def group_indices(factors: FactorSpace, factor: int, numbers: Tensor) -> Tensor:
    """Return the indices int64 (G, K) of all values of a factor in groups, numbered as the grid without the factor."""
    rest = FactorSpace(factors.names, (*factors.sizes[:factor], 1, *factors.sizes[factor + 1 :]))
    step = math.prod(factors.sizes[factor + 1 :])
    return factors.index(rest.classes(numbers))[:, None] + step * torch.arange(factors.sizes[factor])


def varies(codes_GKD: Tensor) -> Tensor:
    """Return whether each latent varies within a group by more than rounding: bool (G, D)."""
    rounding_GD = 16 * torch.finfo(codes_GKD.dtype).eps * codes_GKD.abs().amax(1)
    return codes_GKD.amax(1) - codes_GKD.amin(1) > rounding_GD


def draw_pairs(size: int, rows: int, num_pairs: int, generator: torch.Generator) -> Tensor:
    """Draw P different ordered pairs for each row, as numbers int64 (rows, P) below size (size - 1); see `ends`."""
    total = _num_pairs(size)
    if num_pairs == total:
        return torch.arange(total).expand(rows, -1)
    if 2 * num_pairs > total:
        return torch.stack([torch.randperm(total, generator=generator)[:num_pairs] for _ in range(rows)])
    drawn_RP = torch.randint(total, (rows, num_pairs), generator=generator)
    while True:  # few of many: draw duplicates within a row again
        values_RP, order_RP = drawn_RP.sort(dim=1, stable=True)
        again_RP = torch.zeros_like(drawn_RP, dtype=torch.bool)
        again_RP.scatter_(1, order_RP[:, 1:], values_RP[:, 1:] == values_RP[:, :-1])
        repeated = int(again_RP.sum())
        if not repeated:
            return drawn_RP
        drawn_RP[again_RP] = torch.randint(total, (repeated,), generator=generator)


def ends(pairs: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return the ends a != b of pairs by number: 0 is (0, 1), 1 is (0, 2), and so on."""
    a, b = pairs // (size - 1), pairs % (size - 1)
    return a, b + (b >= a)


def _differences(
    m: Measurement,
    codes_GKD: Tensor,
    h_GKD: Tensor,
    groups_R: Tensor,
    units_R: Tensor,
    pairs_RP: Tensor,
) -> Tensor:
    """Return d^2 (R, P), of a unit the mean over its latents, float64 on the CPU."""
    unit_D = to_device(m.units.unit_D, codes_GKD.device)
    d_N = torch.empty(pairs_RP.numel(), dtype=torch.float64)
    points = max(1, POINTS // m.batch_size) * m.batch_size
    for start in range(0, len(d_N), points):
        row = torch.arange(start, min(start + points, len(d_N))) // pairs_RP.shape[1]
        a, b = ends(pairs_RP.flatten()[start : start + points], codes_GKD.shape[1])
        group, unit, a, b = (to_device(x, codes_GKD.device) for x in (groups_R[row], units_R[row], a, b))
        is_set_ND = unit_D == unit[:, None]
        z_ND = torch.where(is_set_ND, codes_GKD[group, b], codes_GKD[group, a])
        h_ND = respond(m.autoencoder, z_ND, batch_size=m.batch_size)
        d2_ND = (h_ND.double() - h_GKD[group, a].double()).square()
        d_N[start : start + points] = ((d2_ND * is_set_ND).sum(1) / is_set_ND.sum(1)).cpu()
    return d_N.view(pairs_RP.shape)

"""Responses conditioned on one factor: what a latent does when it takes the value it has at another class of a factor.

A group is all K values of a factor with the other factors fixed; S (K, D) are its codes. For latent j and an ordered
pair a != b of the group, d = h_j(do(S_a; j := S_bj)) - h_j(S_a).
Source: Leeb et al. 2022 (arXiv 2106.16091), section 3. G groups, K values, D latents, P pairs, R (group, latent) pairs.
h(S) is computed once a group, and only d of the latent that was set is kept.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lrx.core.devices import to_device
from lrx.core.factors import FactorSpace
from lrx.core.types import Autoencoder, FactorDataset
from lrx.responses.encoding import encode_images, num_latents
from lrx.responses.latent_response import POINTS, respond
from lrx.responses.work_units import ALL_UNITS, Values, WorkUnit

PAIRS = 2**16  # pairs that are held at once


@dataclass(frozen=True)
class GroupResponses:
    """Mean squares of d over the pairs of each group, float64 on the CPU.

    mean_square_GD: the mean of d^2 over P pairs of the group.
    variance_GD: of that mean, over which pairs were drawn; 0 where all K (K - 1) pairs were taken.
    num_groups: how many groups the grid has; G of them were drawn, each at most once.
    num_pairs, num_responses: P, and how many responses were computed.
    """

    mean_square_GD: Tensor
    variance_GD: Tensor
    num_groups: int
    num_pairs: int
    num_responses: int

    def rms(self) -> tuple[Tensor, Tensor]:
        """The root mean square of d (G, D), and its variance over which pairs were drawn (G, D).

        The root of a mean over drawn pairs is too small by variance / (8 mean^(3/2)), to second order: it is added.
        """
        root_GD = self.mean_square_GD.sqrt()
        relative_GD = torch.where(self.mean_square_GD > 0, self.variance_GD / self.mean_square_GD.square(), 0.0)
        return root_GD * (1 + relative_GD / 8), self.mean_square_GD * relative_GD / 4


def conditioned_responses(
    autoencoder: Autoencoder,
    dataset: FactorDataset,
    factor: int,
    *,
    num_groups: int,
    max_pairs: int,
    generator: torch.Generator,
    batch_size: int,
    progress: Callable[[int], None] = lambda responses: None,
) -> GroupResponses:
    """The responses of every latent to one factor, over groups drawn without replacement (all, where there are fewer).

    max_pairs: pairs for each group and latent. All are taken where K (K - 1) is no more, else so many are drawn
    without replacement. Latents that do not move within a group, beyond rounding, have d = 0 and are not decoded.
    progress: called with the responses done so far, of all, those that are known to be 0 included.
    Memory: a few batches, the codes of a group and `PAIRS` pairs, whatever D, and 16 G D bytes of results.
    """
    limits = {"num_groups": num_groups, "max_pairs": max_pairs}
    pieces = group_pieces(autoencoder, dataset, factor, **limits, generator=generator, batch_size=batch_size)
    total = num_responses(dataset.factors, factor, num_latents(autoencoder, dataset), **limits)
    found = [values for _, values in ALL_UNITS.values(pieces, total=total, progress=progress)]
    return gathered(dataset.factors, factor, found, max_pairs=max_pairs)


def group_pieces(
    autoencoder: Autoencoder,
    dataset: FactorDataset,
    factor: int,
    *,
    num_groups: int,
    max_pairs: int,
    generator: torch.Generator,
    batch_size: int,
) -> Iterator[WorkUnit]:
    """The work of `conditioned_responses`: pieces of as many groups as fit `POINTS` responses, the key (factor, first).

    Each draws its pairs, where not all are taken, from a seed of its own. Its values: mean squares (G, D), their
    variances (G, D), and how many responses were computed, a scalar.
    """
    factors = dataset.factors
    size, latents = factors.sizes[factor], num_latents(autoencoder, dataset)
    pairs = min(max_pairs, size * (size - 1))
    chosen = torch.randperm(factors.num_points // size, generator=generator)[:num_groups]
    step = max(1, POINTS // (size + latents * pairs))
    for first, numbers in enumerate(torch.split(chosen, step)):
        seed = int(torch.randint(2**62, (), generator=generator)) if pairs < size * (size - 1) else 0
        indices_GK = group_indices(factors, factor, numbers)
        evaluate = functools.partial(_evaluate, autoencoder, dataset, indices_GK, pairs, seed, batch_size)
        yield WorkUnit((factor, first * step), len(numbers) * (size + latents * pairs), evaluate)


def num_responses(factors: FactorSpace, factor: int, latents: int, *, num_groups: int, max_pairs: int) -> int:
    """The responses of all pieces of a factor, those that are known to be 0 included."""
    size = factors.sizes[factor]
    return min(num_groups, factors.num_points // size) * (size + latents * min(max_pairs, size * (size - 1)))


def gathered(factors: FactorSpace, factor: int, found: Sequence[Values], *, max_pairs: int) -> GroupResponses:
    """The responses to a factor from the values of all its pieces."""
    size = factors.sizes[factor]
    mean_square, variance, computed = zip(*found, strict=True)
    return GroupResponses(
        torch.cat(mean_square),
        torch.cat(variance),
        num_groups=factors.num_points // size,
        num_pairs=min(max_pairs, size * (size - 1)),
        num_responses=sum(int(count) for count in computed),
    )


def _evaluate(
    autoencoder: Autoencoder, dataset: FactorDataset, indices_GK: Tensor, num_pairs: int, seed: int, batch_size: int
) -> Values:
    groups, size = indices_GK.shape
    generator = torch.Generator().manual_seed(seed)
    codes_GKD = encode_images(autoencoder, dataset, indices_GK.flatten(), batch_size=batch_size).view(groups, size, -1)
    moves_GD = moving(codes_GKD)
    responding = moves_GD.any(1)
    h_GKD = torch.zeros_like(codes_GKD)
    h_ND = respond(autoencoder, codes_GKD[responding].flatten(0, 1), batch_size=batch_size)
    h_GKD[responding] = h_ND.view(-1, *codes_GKD.shape[1:])
    computed = len(h_ND)
    mean_square_GD = torch.zeros(moves_GD.shape, dtype=torch.float64)
    variance_GD = torch.zeros_like(mean_square_GD)
    for latents in torch.split(torch.arange(moves_GD.shape[1]), max(1, PAIRS // (groups * num_pairs))):
        pairs_RP = draw_pairs(size, groups * len(latents), num_pairs, generator)
        rows = moves_GD[:, latents].flatten().cpu().nonzero()[:, 0]
        groups_R, latents_R = rows // len(latents), latents[rows % len(latents)]
        d_RP = _moved(autoencoder, codes_GKD, h_GKD, groups_R, latents_R, pairs_RP[rows], batch_size)
        mean_square_GD[groups_R, latents_R] = d_RP.square().mean(1)
        if num_pairs < size * (size - 1) and len(rows):  # torch warns of the variance of nothing
            left_out = 1 - num_pairs / (size * (size - 1))
            variance_GD[groups_R, latents_R] = left_out * d_RP.square().var(1) / num_pairs
        computed += d_RP.numel()
    return mean_square_GD, variance_GD, torch.tensor(computed)


def group_indices(factors: FactorSpace, factor: int, numbers: Tensor) -> Tensor:
    """Indices int64 (G, K) of all values of a factor in these groups; groups are numbered as the grid without it."""
    rest = FactorSpace(factors.names, (*factors.sizes[:factor], 1, *factors.sizes[factor + 1 :]))
    step = math.prod(factors.sizes[factor + 1 :])
    return factors.index(rest.classes(numbers))[:, None] + step * torch.arange(factors.sizes[factor])


def moving(codes_GKD: Tensor) -> Tensor:
    """Whether a latent moves within a group by more than rounding: bool (G, D)."""
    rounding_GD = 16 * torch.finfo(codes_GKD.dtype).eps * codes_GKD.abs().amax(1)
    return codes_GKD.amax(1) - codes_GKD.amin(1) > rounding_GD


def draw_pairs(size: int, rows: int, num_pairs: int, generator: torch.Generator) -> Tensor:
    """For each row that many different numbers int64 (rows, P) below size (size - 1), of ordered pairs; see `ends`."""
    everything = size * (size - 1)
    if num_pairs == everything:
        return torch.arange(everything).expand(rows, -1)
    if 2 * num_pairs > everything:
        return torch.stack([torch.randperm(everything, generator=generator)[:num_pairs] for _ in range(rows)])
    drawn_RP = torch.randint(everything, (rows, num_pairs), generator=generator)
    while True:  # few of many: draw again what a row has already
        values_RP, order_RP = drawn_RP.sort(dim=1, stable=True)
        again_RP = torch.zeros_like(drawn_RP, dtype=torch.bool)
        again_RP.scatter_(1, order_RP[:, 1:], values_RP[:, 1:] == values_RP[:, :-1])
        repeated = int(again_RP.sum())
        if not repeated:
            return drawn_RP
        drawn_RP[again_RP] = torch.randint(everything, (repeated,), generator=generator)


def ends(pairs: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The ends a != b of pairs by number: 0 is (0, 1), 1 is (0, 2), and so on."""
    a, b = pairs // (size - 1), pairs % (size - 1)
    return a, b + (b >= a)


def _moved(
    autoencoder: Autoencoder,
    codes_GKD: Tensor,
    h_GKD: Tensor,
    groups_R: Tensor,
    latents_R: Tensor,
    pairs_RP: Tensor,
    batch_size: int,
) -> Tensor:
    """d (R, P), float64 on the CPU."""
    d_N = torch.empty(pairs_RP.numel(), dtype=torch.float64)
    points = max(1, POINTS // batch_size) * batch_size
    for start in range(0, len(d_N), points):
        row = torch.arange(start, min(start + points, len(d_N))) // pairs_RP.shape[1]
        a, b = ends(pairs_RP.flatten()[start : start + points], codes_GKD.shape[1])
        group, latent, a, b = (to_device(x, codes_GKD.device) for x in (groups_R[row], latents_R[row], a, b))
        at_ND = codes_GKD[group, a]
        at_ND.scatter_(1, latent[:, None], codes_GKD[group, b, latent][:, None])
        moved_N = respond(autoencoder, at_ND, batch_size=batch_size).gather(1, latent[:, None])[:, 0]
        d_N[start : start + points] = (moved_N.double() - h_GKD[group, a, latent].double()).cpu()
    return d_N.view(pairs_RP.shape)

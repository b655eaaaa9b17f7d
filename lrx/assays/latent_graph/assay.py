"""Latent causal graph: which informative latent moves which other, and how sure the draws make each edge.

M_jk = sqrt(E[(h_k(do(z_j := v)) - h_k(z))^2]), the response matrix on the scale `none`, row j intervened. Latent j is a
node where it is informative, M_jj > `informative`. With above(t) = M > max(t, `significant` standard errors of M): two
nodes have an edge both ways where M_jk and M_kj are above `bidirectional`, else an edge j -> k where M_jk alone is
above `unidirectional`. Significance is against zero (a response borne by one draw has the standard error M / 2); how
surely a response passes a threshold is what the stability says.
Source: Leeb et al. 2022 (arXiv 2106.16091), section 3, for matrix and thresholds; that two-way comes first, the
significance and the bootstrap are ours.

N draws, D latents, G groups of draws (g of a block), R bootstrap replicates or rows. Memory: 128 D^2 doubles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.core.types import Array, AssayResult, Autoencoder, Dataset
from lrx.core.validation import check_batch_size, check_choice, check_not_negative, check_whole
from lrx.responses.draws import BASES, BLOCK, blocks
from lrx.responses.encoding import fitting_batch_size, num_latents
from lrx.responses.interventions import BlockResponses, row_pieces
from lrx.responses.responsive import informative_array, remark_on
from lrx.responses.work_units import ALL_UNITS, Share, Values

GROUPS = 128  # groups of draws, at most: the bootstrap draws whole groups
LEAST = 8  # groups of draws, at least: with fewer a bootstrap says little
ENTRIES = 2**22  # matrix entries of the replicates that are in memory at a time
UNIDIRECTIONAL, BIDIRECTIONAL = 1, 2  # kinds of edges in the array `edge`; 0 is none


@dataclass(frozen=True)
class Rule:
    """What makes a node and an edge: thresholds on the scale `none`, and a number of standard errors for edges."""

    informative: float
    bidirectional: float
    unidirectional: float
    significant: float

    def edges(self, matrix_RDD: Tensor, se_DD: Tensor) -> tuple[Tensor, Tensor]:
        """Kinds of edges uint8 (R, D, D) and nodes bool (R, D) of matrices (R, D, D), standard errors (D, D)."""

        def above(threshold: float) -> Tensor:
            return matrix_RDD > (self.significant * se_DD).clamp(min=threshold)

        node_RD = matrix_RDD.diagonal(dim1=-2, dim2=-1) > self.informative
        pair_RDD = node_RD[..., :, None] & node_RD[..., None, :] & ~torch.eye(len(se_DD), dtype=torch.bool)
        weak_RDD, strong_RDD = above(self.bidirectional), above(self.unidirectional)
        both_RDD = pair_RDD & weak_RDD & weak_RDD.mT
        single_RDD = pair_RDD & strong_RDD & ~strong_RDD.mT & ~both_RDD
        return single_RDD.to(torch.uint8) * UNIDIRECTIONAL + both_RDD.to(torch.uint8) * BIDIRECTIONAL, node_RD


def latent_graph(
    autoencoder: Autoencoder,
    dataset: Dataset,
    generator: torch.Generator,
    *,
    base: str,
    num_samples: int,
    informative: float,
    bidirectional: float,
    unidirectional: float,
    significant: float,
    num_replicates: int,
    batch_size: int | None,
    progress: Callable[[int, int], None] | None = None,
    share: Share = ALL_UNITS,
) -> AssayResult:
    """Estimate the response matrix, the graph it implies, and the share of bootstrap replicates that agree.

    base: where z and v come from, see `lrx.responses.draws`.
    num_samples: draws, each used by every row; from data at least 1024, as draws of one block share images.
    informative, bidirectional, unidirectional, significant: see above.
    num_replicates: of the bootstrap over groups of draws, in which thresholds are applied anew.
    batch_size: responses per forward pass, None for one that fits the memory; changes no result beyond rounding.
    progress: called with the responses computed so far and how many there will be.
    share: who evaluates which draws and rows, see `lrx.responses.work_units`; a shard has no result.

    Arrays: matrix, matrix_se, edge, stability (D, D), informative (D,); bidirectional edges are there in both places.
    Scores: num_informative, num_unidirectional (edges), num_bidirectional (pairs), with standard errors from the
    bootstrap; mean_stability over edges, a pair counted once (NaN without edges). The setting `remark` says that no
    latent is informative.
    ValueError for a setting out of range, a base that model or data cannot give, or responses that are not finite.
    """
    thresholds = {"informative": informative, "bidirectional": bidirectional, "unidirectional": unidirectional}
    _check(base, num_samples, {**thresholds, "significant": significant}, num_replicates, batch_size)
    batch_size = batch_size or fitting_batch_size(dataset.observation_shape)
    latents = num_latents(autoencoder, dataset)
    rule = Rule(**thresholds, significant=significant)
    sums = Sums(latents, num_samples)
    drawn = blocks(autoencoder, dataset, base=base, generator=generator, batch_size=batch_size)
    pieces = row_pieces(
        autoencoder, drawn, latents=latents, num_samples=num_samples, batch_size=batch_size, summed=sums.of
    )
    total, report = num_samples * (latents + 1), progress or (lambda done, total: None)
    for (_, row), values in share.values(pieces, total=total, progress=lambda done: report(done, total)):
        sums.add(row, values)

    matrix_DD, se_DD = sums.matrix()
    edge_DD, node_D = rule.edges(matrix_DD, se_DD)
    stability_DD = torch.zeros_like(matrix_DD)
    counts = []
    for matrix_RDD in sums.replicates(num_replicates, generator):
        edge_RDD, node_RD = rule.edges(matrix_RDD, se_DD)
        there_RDD = torch.where(edge_DD > 0, edge_RDD == edge_DD, edge_RDD > 0)
        stability_DD += (there_RDD | torch.diag_embed(node_RD)).sum(0) / num_replicates
        counts.append(_counts(edge_RDD, node_RD))
    error = torch.cat(counts).std(0)
    names = ("num_informative", "num_unidirectional", "num_bidirectional")
    scores = dict(zip(names, _counts(edge_DD[None], node_D[None])[0].tolist(), strict=True))
    scores |= {f"{name}_se": value for name, value in zip(names, error.tolist(), strict=True)}
    once_DD = (edge_DD == UNIDIRECTIONAL) | (edge_DD == BIDIRECTIONAL).triu()
    scores["mean_stability"] = float(stability_DD[once_DD].mean()) if once_DD.any() else math.nan
    labels = np.arange(latents)
    return AssayResult(
        arrays=_arrays(matrix_DD, se_DD, edge_DD, stability_DD, rule),
        coordinates={"intervened": labels, "responding": labels},
        scores=scores,
        settings={
            "base": base,
            "num_samples": num_samples,
            **thresholds,
            "significant": significant,
            "num_groups": int((sums.counts_G > 0).sum()),
            "num_replicates": num_replicates,
            "batch_size": batch_size,
            "remark": remark_on(matrix_DD.diagonal(), informative),
        },
    )


class Sums:
    """Squared changes of responses, summed over groups of draws that are independent of one another.

    Draw i of N is in group floor(i G / N); from data, where the draws of a block share images, a block goes whole to
    the group of its first draw. When the images run out and come again, groups share images all the same, as a larger
    sample of the same images; the errors are then of the draws, not of the choice of images.
    """

    def __init__(self, latents: int, num_samples: int) -> None:
        """Nothing summed yet."""
        self.num_samples = num_samples
        groups = min(GROUPS, num_samples)
        self.squares_GDD = torch.zeros(groups, latents, latents, dtype=torch.float64)
        self.counts_G = torch.zeros(groups, dtype=torch.float64)

    @property
    def count(self) -> int:
        """How many draws the first row has seen, and each row once all are added."""
        return int(self.counts_G.sum())

    def of(self, block: BlockResponses, rows: range) -> Values:
        """The groups int64 (g,) of a block's draws, how many draws each has (g,), and squares of R rows (g, R, D)."""
        place_N = torch.arange(block.start, block.start + block.size) * len(self.counts_G) // self.num_samples
        if block.draws.partners_ND is not None:
            place_N = place_N[:1].expand(block.size)
        groups_g, place_N, counts_g = torch.unique(place_N, return_inverse=True, return_counts=True)
        squares_gRD = torch.zeros(len(groups_g), len(rows), block.h_ND.shape[1], dtype=torch.float64)
        for place, moved_ND in enumerate(block.moved(rows)):
            squares_gRD[:, place].index_add_(0, place_N, (moved_ND.double() - block.h_ND.double()).square())
        return groups_g, counts_g, squares_gRD

    def add(self, row: int, sums: Values) -> None:
        """Add what `of` gives for rows from this one on."""
        groups_g, counts_g, squares_gRD = sums
        self.squares_GDD[groups_g, row : row + squares_gRD.shape[1]] += squares_gRD
        if row == 0:
            self.counts_G[groups_g] += counts_g

    def matrix(self) -> tuple[Tensor, Tensor]:
        """The response matrix (D, D) and its standard errors (D, D), from the spread of groups (delta method)."""
        groups = int((self.counts_G > 0).sum())
        mean_DD = self.squares_GDD.sum(0) / self.count
        spread_DD = torch.zeros_like(mean_DD)
        for square_DD, count in zip(self.squares_GDD, self.counts_G, strict=True):
            spread_DD += (square_DD - count * mean_DD).square()
        matrix_DD, se_DD = mean_DD.sqrt(), (spread_DD * groups / (groups - 1)).sqrt() / self.count
        return matrix_DD, torch.where(matrix_DD > 0, se_DD / (2 * matrix_DD), 0.0)

    def replicates(self, number: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Response matrices (R, D, D) of so many bootstrap samples of groups, some R at a time."""
        filled_G = self.counts_G > 0
        counts_G, squares_GE = self.counts_G[filled_G], self.squares_GDD[filled_G].flatten(1)
        groups, entries = squares_GE.shape
        picks_RG = torch.randint(groups, (number, groups), generator=generator)
        times_RG = torch.zeros(number, groups, dtype=torch.float64).scatter_add_(
            1, picks_RG, torch.ones(number, groups, dtype=torch.float64)
        )
        for part_RG in torch.split(times_RG, max(1, ENTRIES // entries)):
            mean_RE = (part_RG @ squares_GE) / (part_RG @ counts_G)[:, None]
            yield mean_RE.sqrt().view(-1, *self.squares_GDD.shape[1:])


def _counts(edge_RDD: Tensor, node_RD: Tensor) -> Tensor:
    """Numbers (R, 3) of nodes, unidirectional edges and bidirectional pairs, in float64."""
    single_R, both_R = ((edge_RDD == kind).sum((1, 2)) for kind in (UNIDIRECTIONAL, BIDIRECTIONAL))
    return torch.stack([node_RD.sum(1), single_R, both_R // 2], dim=1).double()


def _arrays(matrix_DD: Tensor, se_DD: Tensor, edge_DD: Tensor, stability_DD: Tensor, rule: Rule) -> dict[str, Array]:
    axes = ("intervened", "responding")
    legend = "0 none, 1 unidirectional (intervened -> responding), 2 bidirectional (in both places)"
    share = "share of bootstrap replicates with this edge; without an edge, with any edge; diagonal: informative"
    return {
        "matrix": Array(matrix_DD.numpy(), axes, "latent", "latent response matrix, normalization none"),
        "matrix_se": Array(se_DD.numpy(), axes, "latent", "standard error of the latent response matrix"),
        "edge": Array(edge_DD.numpy(), axes, "1", f"kind of edge: {legend}"),
        "stability": Array(stability_DD.numpy(), axes, "1", share),
        "informative": informative_array(matrix_DD.diagonal(), "responding", rule.informative),
    }


def _check(base: str, num_samples: int, numbers: dict[str, float], num_replicates: int, batch_size: int | None) -> None:
    check_choice("base", base, BASES)
    if base == "prior":
        check_whole("num_samples", num_samples, LEAST)
    else:
        check_whole("num_samples", num_samples, LEAST * BLOCK, reason=f" ({LEAST} blocks of draws from data)")
    for key, value in numbers.items():
        check_not_negative(key, value)
    check_whole("num_replicates", num_replicates, 2)
    check_batch_size(batch_size)

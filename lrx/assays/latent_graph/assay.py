"""Latent causal graph: which informative latent moves which other, and how sure the draws make each edge.

M_jk = sqrt(E[(h_k(do(z_j := v)) - h_k(z))^2]), the response matrix on the scale `none`, row j intervened. Latent j is a
node where it is informative, M_jj > `informative`. With above(t) = M > max(t, `significant` standard errors of M): two
nodes have an edge both ways where M_jk and M_kj are above `bidirectional`, else an edge j -> k where M_jk alone is
above `unidirectional`. Significance is against zero (a response borne by one draw has the standard error M / 2); how
surely a response passes a threshold is what the stability says.
Source: Leeb et al. 2022 (arXiv 2106.16091), section 3, for matrix and thresholds; that two-way comes first, the
significance and the bootstrap are ours.

Nodes are units (`lrx.responses.units`): single latents, or several that are set together; responses of codes
(channel, y, x) count in steps of the unit that responds.

N draws, D units, B bootstrap replicates. Memory: 160 D^2 doubles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lrx.core.settings import AssaySettings, setting, stored
from lrx.core.types import Array, AssayResult
from lrx.core.validation import SettingError, check_whole
from lrx.responses.adaptive import PILOT, measure_to_target
from lrx.responses.draws import AUTO, BASE_MEANING, BASES, BLOCK, base_of
from lrx.responses.enumeration import has_own_scale, weighting
from lrx.responses.informative import informative_array, remark_on
from lrx.responses.matrix import AXES, SCALE, ResponseMatrix
from lrx.responses.measure_matrix import GROUPS
from lrx.responses.measurement import Measurement
from lrx.responses.shared_matrix import draws_arrays, matrix_arrays, shared_or_measured
from lrx.responses.units import MEANING

NUM_SAMPLES = 4096
DECIDED = 2  # standard errors from a threshold: a chance of 5 % on both sides
MOST_EXCESS = 16.0  # times the draws of a row, at once: a response next to its threshold asks for endless ones
LEAST = 8  # groups of draws, at least: with fewer a bootstrap says little
UNIDIRECTIONAL, BIDIRECTIONAL = 1, 2  # kinds of edges in the array `edge`; 0 is none
COUNTS = ("num_informative", "num_unidirectional", "num_bidirectional")


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of the latent graph; thresholds are on the scale `none`."""

    units: str | list[list[int]] | None = setting(None, MEANING)
    base: str = setting(AUTO, BASE_MEANING, choices=(AUTO, *BASES))
    num_samples: int | None = setting(
        NUM_SAMPLES,
        "draws, each used by every row; null: the matrix of this run (assay=paper)",
        at_least=LEAST,
    )
    max_samples: int | None = setting(
        None,
        "each row gets draws until its edges are decided, at most these; null: num_samples for all rows",
        at_least=PILOT,
    )
    informative: float = setting(0.5, "a latent is a node above this response to itself (the authors')", at_least=0)
    bidirectional: float = setting(
        0.1, "an edge both ways where both responses are above this (the authors')", at_least=0
    )
    unidirectional: float = setting(
        0.5, "else an edge one way where only that response is above this (the authors')", at_least=0
    )
    significant: float = setting(
        2, "edges only where a response is above this number of its standard errors (ours)", at_least=0
    )
    num_replicates: int = setting(1000, "replicates of the bootstrap over groups of draws", at_least=2)
    batch_size: int | None = setting(None, "responses per forward pass; null: what fits the memory", at_least=1)

    def check(self) -> None:
        """Check that draws from data fill some groups: those of one block share images, so they stay together."""
        if self.max_samples is not None and self.num_samples is None:
            raise SettingError("max_samples needs draws of its own, and num_samples=null takes the matrix of this run")
        if self.base not in ("prior", AUTO) and self.num_samples is not None:
            reason = f" ({LEAST} blocks of draws from data)"
            check_whole("num_samples", self.num_samples, LEAST * BLOCK, reason=reason)


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Derive the graph from the response matrix, and the share of bootstrap replicates that agree with it.

    Arrays: matrix, matrix_se (on the scale `half`), edge, stability (D, D), informative (D,); bidirectional edges are
    there in both places.
    Scores: num_informative, num_unidirectional (edges), num_bidirectional (pairs), with standard errors from the
    bootstrap; mean_stability over edges, a pair counted once (NaN without edges).
    Settings stored: what was done, such as num_samples, num_groups, num_responses, and num_undecided (responses within
    `DECIDED` standard errors of a threshold that an edge rests on); `remark` where no latent is informative.
    SettingError for a base that model or data cannot give, ValueError for responses that are not finite.
    """
    m = m.with_units(settings.units)
    base, goal = base_of(m, settings.base), Decided(m, settings)
    if settings.max_samples is not None:
        least = min(settings.num_samples or NUM_SAMPLES, PILOT) if base == "prior" else LEAST * BLOCK
        most = max(settings.max_samples, least)
        matrix = measure_to_target(
            m, base=base, target=goal, num_pilot=least, max_samples=most, quasi=False, num_groups=GROUPS
        )
    else:
        matrix = shared_or_measured(
            m, num_samples=settings.num_samples, default=NUM_SAMPLES, base=base, num_groups=GROUPS
        )
    scale_D = unit_of_responses(m, matrix)
    matrix_DD, se_DD = (part / scale_D for part in matrix.on_scale("none"))
    edge_DD, node_D = edges(matrix_DD, se_DD, settings)
    stability_DD, errors = bootstrap(matrix, scale_D, edge_DD, settings, m.generator)
    scores = dict(zip(COUNTS, _counts(edge_DD[None], node_D[None])[0].tolist(), strict=True))
    scores |= {f"{name}_se": error for name, error in zip(COUNTS, errors, strict=True)}
    once_DD = (edge_DD == UNIDIRECTIONAL) | (edge_DD == BIDIRECTIONAL).triu()
    scores["mean_stability"] = float(stability_DD[once_DD].mean()) if once_DD.any() else math.nan
    labels = matrix.units.labels
    kinds = "0 none, 1 unidirectional (intervened -> responding), 2 bidirectional (in both places)"
    share = "share of bootstrap replicates with this edge; without an edge, with any edge; diagonal: informative"
    return AssayResult(
        arrays={
            **matrix_arrays(matrix, SCALE),
            **draws_arrays(matrix),
            **matrix.units.arrays(),
            "edge": Array(edge_DD.numpy(), AXES, "1", f"kind of edge: {kinds}"),
            "stability": Array(stability_DD.numpy(), AXES, "1", share),
            "informative": informative_array(matrix_DD.diagonal(), "responding", settings.informative),
        },
        coordinates={"intervened": labels, "responding": labels},
        scores=scores,
        settings=stored(
            settings,
            units=matrix.units.kind,
            base=matrix.base,
            num_samples=matrix.num_samples,
            num_groups=matrix.num_groups,
            num_responses=matrix.num_responses,
            num_undecided=int((goal.needs(matrix) > 1).sum()),
            **weighting(matrix.values),
            batch_size=m.batch_size,
            remark=_remark(matrix, matrix_DD.diagonal(), settings),
        ),
    )


def edges(matrix_BDD: Tensor, se_DD: Tensor, settings: Settings) -> tuple[Tensor, Tensor]:
    """Return kinds of edges uint8 (B, D, D) and nodes bool (B, D) of matrices (B, D, D) with standard errors (D, D),
    all on the scale `none`."""

    def above(threshold: float) -> Tensor:
        return matrix_BDD > (settings.significant * se_DD).clamp(min=threshold)

    node_BD = matrix_BDD.diagonal(dim1=-2, dim2=-1) > settings.informative
    pair_BDD = node_BD[..., :, None] & node_BD[..., None, :] & ~torch.eye(len(se_DD), dtype=torch.bool)
    weak_BDD, strong_BDD = above(settings.bidirectional), above(settings.unidirectional)
    both_BDD = pair_BDD & weak_BDD & weak_BDD.mT
    single_BDD = pair_BDD & strong_BDD & ~strong_BDD.mT & ~both_BDD
    return single_BDD.to(torch.uint8) * UNIDIRECTIONAL + both_BDD.to(torch.uint8) * BIDIRECTIONAL, node_BD


def bootstrap(
    matrix: ResponseMatrix, scale_D: Tensor, edge_DD: Tensor, settings: Settings, generator: torch.Generator
) -> tuple[Tensor, list[float]]:
    """Return the stability (D, D) of edges and nodes, and the standard errors of COUNTS.

    The thresholds are applied anew to each replicate, with the standard errors of the whole matrix.
    """
    se_DD = matrix.on_scale("none")[1] / scale_D
    stability_DD = torch.zeros_like(se_DD)
    counts = []
    for matrix_BDD in matrix.replicates(settings.num_replicates, generator):
        edge_BDD, node_BD = edges(matrix_BDD / scale_D, se_DD, settings)
        same_BDD = torch.where(edge_DD > 0, edge_BDD == edge_DD, edge_BDD > 0)
        stability_DD += (same_BDD | torch.diag_embed(node_BD)).sum(0) / settings.num_replicates
        counts.append(_counts(edge_BDD, node_BD))
    return stability_DD, torch.cat(counts).std(0).tolist()


def _counts(edge_BDD: Tensor, node_BD: Tensor) -> Tensor:
    """Return the numbers (B, 3) of nodes, unidirectional edges and bidirectional pairs, in float64."""
    single_B, both_B = ((edge_BDD == kind).sum((1, 2)) for kind in (UNIDIRECTIONAL, BIDIRECTIONAL))
    return torch.stack([node_BD.sum(1), single_B, both_B // 2], dim=1).double()


@dataclass(frozen=True)
class Decided:
    """Goal of rows whose edges are decided: the responses that make or rule out an edge are `DECIDED` standard errors
    from their thresholds (`lrx.responses.adaptive.Goal`)."""

    m: Measurement
    settings: Settings
    scale: str = "none"

    def excess(self, matrix: ResponseMatrix) -> Tensor:
        """Return the draws that each row needs over those it has, (R,)."""
        return self.needs(matrix).amax(1).clamp(max=MOST_EXCESS)

    def needs(self, matrix: ResponseMatrix) -> Tensor:
        """Return the draws that each response (D, D) needs to be decided over those it has; 0 where none depends on it.

        An edge both ways rests on two responses above `bidirectional`. Where one is below, that one rules it out, and
        the other is above or below `unidirectional`.
        """
        unit_D, settings = unit_of_responses(self.m, matrix), self.settings
        matrix_DD, se_DD = (part / unit_D for part in matrix.on_scale(self.scale))

        def beyond(threshold: float) -> Tensor:
            return torch.where(se_DD > 0, (DECIDED * se_DD / (matrix_DD - threshold)).square(), 0.0)

        node_DD, weak_DD = beyond(settings.informative), matrix_DD > settings.bidirectional
        possible_D = (matrix_DD.diagonal() > settings.informative) | (node_DD.diagonal() > 1)
        both_DD = weak_DD & weak_DD.mT
        alone_DD = torch.where(weak_DD, beyond(settings.unidirectional), beyond(settings.bidirectional))
        needs_DD = torch.where(both_DD, beyond(settings.bidirectional), alone_DD)
        needs_DD = torch.where(possible_D[:, None] & possible_D, needs_DD, 0.0)
        return needs_DD.diagonal_scatter(node_DD.diagonal())


def unit_of_responses(m: Measurement, matrix: ResponseMatrix) -> Tensor:
    """Return what responses (D,) are divided by before thresholds: 1, or of codes with scales of their own the step of
    each unit, so that the thresholds, which are for standard normal latents, hold for any scale."""
    ones_D = torch.ones(len(matrix.units), dtype=torch.float64)
    return torch.where(matrix.step("half") > 0, matrix.step("half"), ones_D) if has_own_scale(m) else ones_D


def _remark(matrix: ResponseMatrix, own_D: Tensor, settings: Settings) -> str | None:
    """Return what a reader must know: no latent is informative, or a shared matrix has too few groups of draws."""
    if matrix.num_groups < LEAST:
        return f"stability and errors rest on {matrix.num_groups} groups of draws, and {LEAST} or more are needed"
    return remark_on(own_D, settings.informative)

"""Interpolation between the codes of two images along four kinds of paths, and the scores of each.

Paths (`lrx.responses.paths`): `straight`; `response`, its points pulled onto the manifold by h; `graph`, the cheapest
over a graph of responses of other images; `relaxed`, the straight path lowered along the gradient of its cost. Scores:
`lrx.assays.interpolation.path_scores`.
Source: Leeb et al. 2022 (arXiv 2106.16091), section 3.2. P pairs, T points of a path, D latents, F factors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.assays.interpolation.path_scores import (
    DESCRIPTIONS,
    ScoredPaths,
    SharedFactors,
    factors_read_alike,
    score_paths,
)
from lrx.core.factors import FactorSpace
from lrx.core.known_classes import KnownClasses, find_classes
from lrx.core.progress import WorkCounter
from lrx.core.settings import AssaySettings, setting, stored
from lrx.core.statistics import mean_and_se
from lrx.core.types import Array, AssayResult, FactorDataset
from lrx.core.validation import SettingError, is_number
from lrx.responses.encoding import encode_images, image_order, num_drawn
from lrx.responses.jacobian import loop_of
from lrx.responses.latent_response import respond
from lrx.responses.measurement import Measurement
from lrx.responses.paths import graph_paths, magnitude_and_gradient, pull_inner_points, relax, straight_paths
from lrx.responses.stored_observations import as_numbers, observation_axes, observation_unit
from lrx.sample_quality.factor_probe import check_probe_settings, factor_probe

PATHS = ("straight", "response", "graph", "relaxed")


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of the interpolation."""

    num_pairs: int = setting(16, "pairs of images", at_least=1)
    share: float = setting(0.5, "on a grid of factors: the chance of each to be equal at both ends")
    num_points: int = setting(13, "of a path, with its ends", at_least=3)
    pulls: int = setting(4, "h is applied so often to the points of `response`", at_least=0)
    num_nodes: int = setting(512, "responses in the graph", at_least=0)
    neighbours: int = setting(8, "edges from each node", at_least=1)
    weight: float = setting(1.0, "w of the cost: what |u| = 1 costs beside length 1", at_least=0)
    steps: int = setting(24, "of the descent of `relaxed`, each as long as three responses of every point", at_least=0)
    probe_steps: int | None = setting(
        400, "of the probe network that reads factors or labels; null reads none", at_least=1
    )
    cache: str | None = setting(
        None,
        "a folder that keeps the probe, trained once a data set; null: none",
        in_yaml="${oc.env:LRX_DATA,data}/probes",
    )
    shown: int = setting(2, "pairs that are drawn", at_least=1)
    batch_size: int | None = setting(None, "images or latents per forward pass; null: what fits the memory", at_least=1)

    def check(self) -> None:
        """Check the share and the settings of the probe."""
        if not is_number(self.share) or not 0 <= self.share <= 1:
            raise SettingError(f"share must be a number from 0 to 1, not {self.share!r}")
        check_probe_settings(1 if self.probe_steps is None else self.probe_steps, self.cache)


@dataclass(frozen=True)
class Pairs:
    """Ends of the paths as indices of images (2, P) and as codes (2, P, D), and codes of the nodes (N, D)."""

    indices: Tensor
    ends: Tensor
    nodes: Tensor


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Interpolate between the codes of random pairs of images along each kind of path, and score the paths.

    There are fewer pairs than `num_pairs` where there are not twice as many images. On a grid, each factor of the
    second image is set to that of the first with probability `share`: an intervention, for which any image of the grid
    serves, also where images are drawn from a part of it.
    A factor of a pair counts for `kept` when both images have the same class of it and the probe reads that class from
    both decoded ends. Labels of what is no grid are read alike; of those, a pair shares what chance gives it, often
    many, so that `kept` does not compare with that of a grid.
    Scores: means over pairs of what DESCRIPTIONS lists, such as `mean_u_graph`, and their standard errors; `kept` over
    the pairs that share a factor, of which there are `num_sharing`.
    ValueError for fewer than 2 images, or a model that cannot be differentiated.
    """
    pairs = _draw_pairs(m, settings)
    num_pairs = pairs.indices.shape[1]
    known = _classes_to_read(m, settings)
    points = num_pairs * settings.num_points
    work = points * (2 * len(PATHS) + settings.pulls + 3 * (settings.steps + 1))
    work += settings.num_nodes * (2 + settings.neighbours)
    counter = WorkCounter(m.progress, work + (settings.probe_steps or 0 if known is not None else 0))

    paths, costs = _make_paths(m, settings, pairs, counter)
    shared = None if known is None else _shared_factors(m, settings, pairs, known, counter)
    scored, magnitudes = [], []
    for path_PTD in paths.values():
        h_ND = respond(m.autoencoder, path_PTD.flatten(0, 1), batch_size=m.batch_size)
        counter.add(len(h_ND))
        u_PT = (h_ND.view(path_PTD.shape) - path_PTD).norm(dim=-1)
        magnitudes.append(u_PT.cpu())
        scored.append(
            score_paths(m, path_PTD, u_PT, shared, weight=settings.weight, shown=settings.shown, count=counter.add)
        )
    arrays, scores = _named_scores(scored, shared)
    arrays |= {
        "u": Array(
            as_numbers(torch.stack(magnitudes)), ("path", "pair", "point"), "latent", "|h(z) - z| at the points"
        ),
        "points": Array(
            as_numbers(torch.stack([*paths.values()])), ("path", "pair", "point", "latent"), "latent", "the paths"
        ),
        "descent": Array(as_numbers(costs), ("step", "pair"), "latent", "cost of `relaxed` after each step"),
        "ends": Array(pairs.indices.T.numpy(), ("pair", "end"), "1", "indices of the two images"),
        "images": _images(scored),
    }
    return AssayResult(
        arrays=arrays,
        coordinates={"path": np.array(PATHS)},
        scores=scores,
        settings=stored(settings, num_pairs=num_pairs, num_nodes=len(pairs.nodes), batch_size=m.batch_size),
    )


def share_factors(factors: FactorSpace, a_P: Tensor, b_P: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Return images b int64 (P,), each factor set to that of image a with probability `share`.

    An image b all of whose factors would be set is returned unchanged.
    """
    a_PF, b_PF = factors.classes(a_P), factors.classes(b_P)
    shared_PF = torch.rand(b_PF.shape, generator=generator) < share
    new_P = factors.index(torch.where(shared_PF, a_PF, b_PF))
    return torch.where(new_P == a_P, b_P, new_P)


def _draw_pairs(m: Measurement, settings: Settings) -> Pairs:
    available = num_drawn(m.dataset)
    if available < 2:
        raise ValueError(f"assay=interpolation goes between images, and {m.dataset.name} has {available}")
    num_pairs = min(settings.num_pairs, available // 2)
    order = image_order(m.dataset, m.generator)[: 2 * num_pairs + settings.num_nodes]
    a_P, b_P, nodes_N = order[:num_pairs], order[num_pairs : 2 * num_pairs], order[2 * num_pairs :]
    if isinstance(m.dataset, FactorDataset):
        b_P = share_factors(m.dataset.factors, a_P, b_P, settings.share, m.generator)
    images = torch.cat([a_P, b_P, nodes_N])
    codes_ND = encode_images(m.autoencoder, m.dataset, images, batch_size=m.batch_size)
    ends = codes_ND[: 2 * num_pairs].view(2, num_pairs, -1)
    return Pairs(torch.stack([a_P, b_P]), ends, codes_ND[2 * num_pairs :])


def _classes_to_read(m: Measurement, settings: Settings) -> KnownClasses | None:
    """Return the factors or labels that a probe network is to read; None where there are none, or no images."""
    if settings.probe_steps is None or len(m.dataset.observation_shape) != 3:
        return None
    known = find_classes(m.dataset)
    return known if known is not None and known.varying else None


def _make_paths(
    m: Measurement, settings: Settings, pairs: Pairs, counter: WorkCounter
) -> tuple[dict[str, Tensor], Tensor]:
    """Return the paths (P, T, D) by their kind, and the costs of `relaxed` (1 + steps, P)."""
    a_PD, b_PD = pairs.ends
    loop = loop_of(m.autoencoder)

    def h(z_ND: Tensor) -> Tensor:
        h_ND = respond(m.autoencoder, z_ND, batch_size=m.batch_size)
        counter.add(len(z_ND))
        return h_ND

    def field(z_ND: Tensor) -> tuple[Tensor, Tensor]:
        magnitude_N, gradient_ND = magnitude_and_gradient(loop, z_ND, batch_size=m.batch_size)
        counter.add(3 * len(z_ND))
        return magnitude_N, gradient_ND

    line_PTD = straight_paths(a_PD, b_PD, num_points=settings.num_points)
    relaxed_PTD, costs = relax(line_PTD, field, steps=settings.steps, weight=settings.weight)
    nodes_ND = h(pairs.nodes) if len(pairs.nodes) else pairs.nodes
    paths = {
        "straight": line_PTD,
        "response": pull_inner_points(line_PTD, h, times=settings.pulls),
        "graph": graph_paths(
            a_PD,
            b_PD,
            nodes_ND,
            h,
            neighbours=settings.neighbours,
            weight=settings.weight,
            num_points=settings.num_points,
        ),
        "relaxed": relaxed_PTD,
    }
    return paths, costs


def _shared_factors(
    m: Measurement, settings: Settings, pairs: Pairs, known: KnownClasses, counter: WorkCounter
) -> SharedFactors:
    """Return the probe network, trained or from the cache, and the factors that count for each pair."""
    assert settings.probe_steps is not None
    probe = factor_probe(
        m.dataset, steps=settings.probe_steps, cache=settings.cache, progress=lambda step: counter.add(1)
    )
    probe = probe.to(m.device_and_dtype.device)
    classes = known.classes(pairs.indices.flatten())[:, probe.varying].view(*pairs.indices.shape, -1)
    return SharedFactors(probe, factors_read_alike(m, probe, pairs.ends, classes))


def _named_scores(scored: list[ScoredPaths], shared: SharedFactors | None) -> tuple[dict[str, Array], dict[str, float]]:
    """Return the values of each pair as arrays (path, pair), and their means with standard errors as scores."""
    arrays: dict[str, Array] = {}
    scores: dict[str, float] = {}
    for name, (unit, description) in DESCRIPTIONS.items():
        if name == "kept" and shared is None:
            continue
        values = torch.stack([paths.values[name] for paths in scored]).numpy()
        arrays[name] = Array(values, ("path", "pair"), unit, description)
        for path, values_P in zip(PATHS, values, strict=True):
            mean, se = mean_and_se(values_P)
            scores[f"{name}_{path}"], scores[f"{name}_{path}_se"] = float(mean), float(se)
    if shared is not None:
        scores["num_sharing"] = float(shared.counted_PF.any(1).sum())
        scores.update(shared.probe.scores)
    return arrays, scores


def _images(scored: list[ScoredPaths]) -> Array:
    images = np.stack([paths.images for paths in scored])
    axes = ("path", "shown", "point", *observation_axes(images[0, 0, 0]))
    return Array(images, axes, observation_unit(images[0, 0, 0]), "decoded points of the first pairs")

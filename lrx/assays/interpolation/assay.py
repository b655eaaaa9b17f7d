"""Interpolation: what lies on the way between the codes of two images, for each way to go.

Ways, see `lrx.responses.paths`: `straight`; `response`, its points pulled onto the manifold by h; `graph`, the
cheapest way over a graph of responses of other images; `relaxed`, the straight way lowered along its cost's gradient.
Scores of a path: see `lrx.assays.interpolation.path_scores`.
Source: Leeb et al. 2022 (arXiv 2106.16091), section 3.2. P pairs, T points of a path, D latents, F factors.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lrx.assays.interpolation.path_scores import DESCRIPTIONS, path_scores, readable
from lrx.core.factors import FactorSpace
from lrx.core.known_classes import find_classes
from lrx.core.types import Array, AssayResult, Autoencoder, Dataset, FactorDataset
from lrx.core.validation import SettingError, check_batch_size, check_not_negative, check_whole, is_number
from lrx.responses.encoding import device_and_dtype_of, encode_images, fitting_batch_size, image_order, num_drawn
from lrx.responses.jacobian import loop_of
from lrx.responses.latent_response import respond
from lrx.responses.paths import pulled, relaxed, size_and_slope, straight, through_graph
from lrx.responses.stored_observations import observation_axes, observation_unit
from lrx.sample_quality.factor_probe import check_probe_settings, factor_probe

PATHS = ("straight", "response", "graph", "relaxed")


def interpolation(
    autoencoder: Autoencoder,
    dataset: Dataset,
    generator: torch.Generator,
    *,
    num_pairs: int,
    share: float,
    num_points: int,
    pulls: int,
    num_nodes: int,
    neighbours: int,
    weight: float,
    steps: int,
    probe_steps: int | None,
    cache: str | None,
    shown: int,
    batch_size: int | None,
    progress: Callable[[int, int], None] | None = None,
) -> AssayResult:
    """Go between the codes of random pairs of images, each way, and score the ways.

    num_pairs: random pairs of different images; fewer where there are not twice as many images.
    share: on a grid of factors, the chance of each factor of the second image to be made that of the first. That is an
    intervention, for which the whole grid is there, also where images are drawn from a part of it.
    num_points: of every path, its ends included. pulls: h is applied so often to the points of `response`.
    num_nodes, neighbours: responses of other images in the graph, and edges from each.
    weight: w, what a unit of |u| costs over a unit of length. steps: of the descent of `relaxed`, each of which takes
    as long as about three responses of every point.
    probe_steps: training of the probe network that reads factors from decoded points, kept in the folder `cache` (see
    `lrx.sample_quality.factor_probe.factor_probe`); None reads none. A factor of a pair counts when both images have
    the same
    class of it and the probe reads that class from both decoded ends. Labels of what is no grid are read alike; of
    those, a pair shares what chance gives it, often many: that all of them stay says more than on a grid, and compares
    with no grid.
    shown: pairs whose points are kept as images.
    progress: called with the responses (or what takes as long) done so far, and all that there are.

    Scores: the means over pairs of what DESCRIPTIONS lists, `mean_u_graph`, and their standard errors; `kept` over
    the pairs that share a factor, of which there are `num_sharing`.
    ValueError for a setting out of range, fewer than 2 images, or a model that cannot be differentiated.
    """
    _check(num_pairs, share, num_points, pulls, num_nodes, neighbours, weight, steps, shown, batch_size)
    check_probe_settings(1 if probe_steps is None else probe_steps, cache)
    available = num_drawn(dataset)
    if available < 2:
        raise ValueError(f"assay=interpolation goes between images, and {dataset.name} has {available}")
    batch_size = batch_size or fitting_batch_size(dataset.observation_shape)
    pairs = min(num_pairs, available // 2)
    order = image_order(dataset, generator)[: 2 * pairs + num_nodes]
    known = find_classes(dataset) if probe_steps is not None and len(dataset.observation_shape) == 3 else None
    known = known if known is not None and known.varying else None
    work = pairs * num_points * (2 * len(PATHS) + pulls + 3 * (steps + 1)) + num_nodes * (2 + neighbours)
    work += probe_steps if known is not None and probe_steps is not None else 0
    done = 0

    def report(new: int) -> None:
        nonlocal done
        done = min(done + new, work)
        if progress is not None:
            progress(done, work)

    def h(z_ND: Tensor) -> Tensor:
        h_ND = respond(autoencoder, z_ND, batch_size=batch_size)
        report(len(z_ND))
        return h_ND

    if isinstance(dataset, FactorDataset):
        ends = order[: 2 * pairs].view(2, pairs)
        order = torch.cat([ends[0], sharing(dataset.factors, ends[0], ends[1], share, generator), order[2 * pairs :]])
    codes_ND = encode_images(autoencoder, dataset, order, batch_size=batch_size)
    a_PD, b_PD, others_ND = codes_ND[:pairs], codes_ND[pairs : 2 * pairs], codes_ND[2 * pairs :]
    loop = loop_of(autoencoder)

    def slope(z_ND: Tensor) -> tuple[Tensor, Tensor]:
        found = size_and_slope(loop, z_ND, batch_size=batch_size)
        report(3 * len(z_ND))
        return found

    line_PTD = straight(a_PD, b_PD, num_points=num_points)
    low_PTD, costs = relaxed(line_PTD, slope, steps=steps, weight=weight)
    nodes_ND = h(others_ND) if len(others_ND) else others_ND
    paths = {
        "straight": line_PTD,
        "response": pulled(line_PTD, h, times=pulls),
        "graph": through_graph(a_PD, b_PD, nodes_ND, h, neighbours=neighbours, weight=weight, num_points=num_points),
        "relaxed": low_PTD,
    }
    probe, shared_PF = None, torch.zeros(pairs, 0, dtype=torch.bool)
    if known is not None and probe_steps is not None:
        probe = factor_probe(dataset, steps=probe_steps, cache=cache, progress=lambda step: report(1))
        probe = probe.to(device_and_dtype_of(autoencoder).device)
        classes = known.classes(order[: 2 * pairs])[:, probe.varying].view(2, pairs, -1)
        shared_PF = readable(autoencoder, probe, a_PD, b_PD, classes[0], classes[1], batch_size=batch_size)

    table: dict[str, list[Tensor]] = {name: [] for name in DESCRIPTIONS}
    sizes, pictures = [], []
    for path_PTD in paths.values():
        u_PT = (h(path_PTD.flatten(0, 1)).view(path_PTD.shape) - path_PTD).norm(dim=-1)
        measured, images = path_scores(
            autoencoder,
            path_PTD,
            u_PT,
            probe,
            shared_PF,
            weight=weight,
            shown=shown,
            batch_size=batch_size,
            progress=report,
        )
        for name, values_P in measured.items():
            table[name].append(values_P)
        sizes.append(u_PT.cpu())
        pictures.append(images)

    images = np.stack(pictures)
    axes = ("path", "shown", "point", *observation_axes(images[0, 0, 0]))
    arrays = {
        "u": Array(torch.stack(sizes).numpy(), ("path", "pair", "point"), "latent", "|h(z) - z| at the points"),
        "points": Array(
            torch.stack([*paths.values()]).cpu().numpy(), ("path", "pair", "point", "latent"), "latent", "the paths"
        ),
        "descent": Array(costs.cpu().numpy(), ("step", "pair"), "latent", "cost of `relaxed` after each step"),
        "ends": Array(order[: 2 * pairs].view(2, pairs).T.numpy(), ("pair", "end"), "1", "indices of the two images"),
        "images": Array(images, axes, observation_unit(images[0, 0, 0]), "decoded points of the first pairs"),
    }
    scores: dict[str, float] = {}
    for name, (unit, words) in DESCRIPTIONS.items():
        if name == "kept" and probe is None:
            continue
        arrays[name] = Array(torch.stack(table[name]).numpy(), ("path", "pair"), unit, words)
        for path, values_P in zip(PATHS, table[name], strict=True):
            scores[f"{name}_{path}"], scores[f"{name}_{path}_se"] = _mean(values_P)
    if probe is not None:
        scores["num_sharing"] = float(shared_PF.any(1).sum())
        scores["probe_accuracy"] = float(probe.accuracies.mean())
    return AssayResult(
        arrays=arrays,
        coordinates={"path": np.array(PATHS)},
        scores=scores,
        settings={
            "num_pairs": pairs,
            "share": share,
            "num_points": num_points,
            "pulls": pulls,
            "num_nodes": len(others_ND),
            "neighbours": neighbours,
            "weight": weight,
            "steps": steps,
            "probe_steps": probe_steps,
            "cache": cache,
            "shown": shown,
            "batch_size": batch_size,
        },
    )


def sharing(factors: FactorSpace, a_P: Tensor, b_P: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Images b int64 (P,), each factor made that of image a with probability `share`; unchanged where all would be."""
    a_PF, b_PF = factors.classes(a_P), factors.classes(b_P)
    kept_PF = torch.rand(b_PF.shape, generator=generator) < share
    new_P = factors.index(torch.where(kept_PF, a_PF, b_PF))
    return torch.where(new_P == a_P, b_P, new_P)


def _mean(values_P: Tensor) -> tuple[float, float]:
    """The mean over the pairs that have a value, and its standard error; NaN for what too few give."""
    known = values_P[~values_P.isnan()]
    mean = float(known.mean()) if len(known) else math.nan
    return mean, float(known.std()) / math.sqrt(len(known)) if len(known) > 1 else math.nan


def _check(
    num_pairs: int,
    share: float,
    num_points: int,
    pulls: int,
    num_nodes: int,
    neighbours: int,
    weight: float,
    steps: int,
    shown: int,
    batch_size: int | None,
) -> None:
    wholes = {
        "num_pairs": (num_pairs, 1),
        "num_points": (num_points, 3),
        "pulls": (pulls, 0),
        "num_nodes": (num_nodes, 0),
        "neighbours": (neighbours, 1),
        "steps": (steps, 0),
        "shown": (shown, 1),
    }
    for key, (value, least) in wholes.items():
        check_whole(key, value, least)
    check_batch_size(batch_size)
    if not is_number(share) or not 0 <= share <= 1:
        raise SettingError(f"share must be a number from 0 to 1, not {share!r}")
    check_not_negative("weight", weight)

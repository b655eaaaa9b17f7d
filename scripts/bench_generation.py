"""Time assay=generation on conv5 (D = 24) against a direct implementation of its sources and distances.

python scripts/bench_generation.py [--quick] [--threads 2]

Both sides sample latents in five ways, decode them, compute |h(z) - z|, project all images on the same principal
components, and compute four distances with standard errors by a jackknife over 20 groups.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from benchmodel import LATENTS, kept, shapes, trained
from benchrate import matrix_rate, operations
from benchsides import Side, Turns, in_turns, ratio, spread
from benchtable import Row, Section, main
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from torch import Tensor

from lrx.assays.generation.assay import Settings
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult, Dataset, Probabilistic, as_float
from lrx.responses.encoding import image_order
from lrx.sample_quality.distances import GROUPS

PLAIN, LRX = "plain", "lrx"
COMPONENTS, NEIGHBOURS, REFINEMENTS, BATCH = 32, 3, 4, 128


def frechet(x: np.ndarray, y: np.ndarray) -> float:
    """Return the Fréchet distance of Gaussians, by the root of a product of covariances."""
    a, b = np.cov(x.T), np.cov(y.T)
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real))


def kernel(x: np.ndarray, y: np.ndarray) -> float:
    """Return the unbiased squared MMD with the cubic kernel."""
    n, m, size = len(x), len(y), x.shape[1]
    xx, yy, xy = (x @ x.T / size + 1) ** 3, (y @ y.T / size + 1) ** 3, (x @ y.T / size + 1) ** 3
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within - 2 * xy.mean())


def precision(x: np.ndarray, y: np.ndarray) -> float:
    """Return the share of x within the balls of y up to its third neighbour."""
    radius = np.sort(cdist(y, y), axis=1)[:, NEIGHBOURS]  # the nearest is the point itself
    return float((cdist(x, y) <= radius).any(1).mean())


def recall(x: np.ndarray, y: np.ndarray) -> float:
    return precision(y, x)


DISTANCES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "frechet": frechet,
    "kernel": kernel,
    "precision": precision,
    "recall": recall,
}


def compared(x: np.ndarray, y: np.ndarray) -> dict[str, tuple[float, float]]:
    """Return each distance and its standard error: the computation is repeated without each group."""
    groups = min(GROUPS, len(x), len(y))
    parts = [np.array_split(np.arange(len(points)), groups) for points in (x, y)]
    found = {}
    for name, distance in DISTANCES.items():
        left = [
            distance(np.delete(x, gone_x, 0), np.delete(y, gone_y, 0)) for gone_x, gone_y in zip(*parts, strict=True)
        ]
        error = ((groups - 1) / groups * ((np.array(left) - np.mean(left)) ** 2).sum()) ** 0.5
        found[name] = distance(x, y), float(error)
    return found


def plain(model: Probabilistic, data: Dataset, samples: int, seed: int) -> dict[str, tuple[float, float]]:
    """Return scores and errors by name, with contiguous tensors, batch by batch."""
    generator = torch.Generator().manual_seed(seed)
    order = image_order(data, generator)
    images, reference = as_float(data.raw(order[:samples])), as_float(data.raw(order[samples : 2 * samples]))

    def batched(work: Callable[[Tensor], Tensor], given: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.cat([work(part) for part in given.split(BATCH)])

    def loop(z: Tensor) -> Tensor:
        return model.encode(model.decode(z))

    codes = batched(model.encode, images)
    std = batched(lambda x: model.posterior(x)[1], images)
    prior = torch.randn(codes.shape, generator=generator)
    refined = prior
    for _ in range(REFINEMENTS):
        refined = batched(loop, refined)
    hybrid = torch.stack([column[torch.randperm(samples, generator=generator)] for column in codes.T], dim=1)
    sources = {
        "prior": prior,
        "hybrid": hybrid,
        "refined": refined,
        "posterior": codes,
        "posterior_sample": codes + std * torch.randn(codes.shape, generator=generator),
    }
    both = torch.cat([reference, images]).flatten(1).numpy()
    components = PCA(COMPONENTS, random_state=0).fit(both)
    projected = components.transform(both)
    scale = projected.var(0, ddof=1).mean() ** 0.5
    pictures = {"data": images} | {name: batched(model.decode, z) for name, z in sources.items()}
    scores = {}
    for name, x in pictures.items():
        points = components.transform(x.flatten(1).numpy())
        for kind, found in compared(points / scale, projected[:samples] / scale).items():
            scores[f"{kind}_{name}"] = found
    for name, z in sources.items():
        length = (batched(loop, z) - z).norm(dim=1)
        scores[f"mean_u_{name}"] = float(length.mean()), float(length.std()) / samples**0.5
    return scores


def by_lrx(model: Probabilistic, data: Dataset, samples: int, seed: int) -> dict[str, tuple[float, float]]:
    """Return the same from the assay."""
    settings = Settings(
        num_samples=samples,
        refinements=REFINEMENTS,
        features="pixels",
        components=COMPONENTS,
        neighbours=NEIGHBOURS,
        shown=1,
    )
    result = run_assay(settings, model, data, torch.Generator().manual_seed(seed))
    assert isinstance(result, AssayResult)
    return {name: (value, result.scores[f"{name}_se"]) for name, value in result.scores.items() if "_se" not in name}


def side(
    work: Callable[[Probabilistic, Dataset, int, int], dict[str, tuple[float, float]]],
    path: Path,
    samples: int,
    plainly: bool,
    turns: Turns,
) -> None:
    model, data = trained(path, plain=plainly), shapes()
    work(model, data, 64, 0)
    for turn in turns:
        turns.found = work(model, data, samples, turn)


def measure(*, quick: bool, threads: int) -> Section:
    turns, samples = (2, 64) if quick else (3, 256)
    path = kept(quick)
    sides = [
        Side(PLAIN, functools.partial(side, plain, path, samples, True), keep_memory=False),
        Side(LRX, functools.partial(side, by_lrx, path, samples, False)),
    ]
    found = in_turns(sides, turns=turns, threads=threads)
    model, data, few = trained(path, plain=True), shapes(), 64
    rows, rate = [], matrix_rate(torch.float32, threads)
    for name, work in ((PLAIN, plain), (LRX, by_lrx)):
        network = operations(functools.partial(work, model, data, few, 0)) * samples / few  # with few, the networks'
        cost = spread(found[name].seconds)
        times = None if name == PLAIN else ratio(found[PLAIN], found[LRX])
        rows.append(Row(name, cost, times, network / cost.median / rate))
    a, b = (side.found[0] for side in found.values())
    worst = max(b, key=lambda name: abs(a[name][0] - b[name][0]) / max(1e-9, np.hypot(a[name][1], b[name][1])))
    text = (
        f"Plain: {samples} samples of five sources decoded in contiguous batches of {BATCH}, principal components by "
        "scikit-learn, Fréchet distance by scipy.linalg.sqrtm, whole distance matrices, repeated with each of 20 "
        "groups left out. lrx: assay=generation with assay.features=pixels, float32."
    )
    remarks = [
        f"Of {len(b)} scores {worst} differs most: {a[worst][0]:.3g} ± {a[worst][1]:.1g} and "
        f"{b[worst][0]:.3g} ± {b[worst][1]:.1g}, from independent draws."
    ]
    return Section(f"Generation with conv5, D = {LATENTS}", text, "s", rows, remarks)


if __name__ == "__main__":
    main(measure, __doc__)

"""Features of images in which samples are compared: principal components of pixels, and a probe network.

Pixels: projections on the K leading principal components of given images, so that distances stay those of pixels.
Probe: a small convolutional classifier of every factor, trained on the data set alone; its features are the 64 numbers
that the classifiers of the factors read, linear in nothing but themselves. Its seed is fixed and no model is involved,
so one probe judges every model of a data set, and can be kept. Where images are no grid of factors, their labels take
the place of factors. N images, P pixels, K features, F factors.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lrx.core.known_classes import KnownClasses, known_classes
from lrx.core.paths import expand_user
from lrx.core.types import Dataset, FactorDataset, as_float
from lrx.core.validation import SettingError
from lrx.storage.atomic import atomic_path
from lrx.storage.tensors import UNREADABLE, read_tensors

FORMAT = "lrx probe 1"  # part of a kept probe's name: another network or another training needs another number
SEED = 0
BATCH = 64
RATE = 2e-3  # of Adam at the first step, falling to 0 linearly
NUM_TEST = 512  # images on which accuracies are measured
ROWS = 2**14  # of classes that are held at once


@dataclass(frozen=True)
class PixelComponents:
    """Projections on principal components: mean (P,), basis (P, K) of orthonormal columns, leading first."""

    mean_P: Tensor
    basis_PK: Tensor

    def features(self, x: Tensor) -> Tensor:
        """Observations (N, *observation_shape) to projections (N, K), float64 on the CPU."""
        centred_NP = x.flatten(1).to(self.mean_P) - self.mean_P
        return (centred_NP @ self.basis_PK).double().cpu()


def pixel_components(x: Tensor, *, components: int) -> PixelComponents:
    """The leading principal components of images (N, *observation_shape): as many as asked for, or as there are.

    ValueError when all images are equal. Memory: the images twice, and N x N.
    """
    x_NP = x.flatten(1)
    mean_P = x_NP.mean(0)
    centred_NP = x_NP - mean_P
    squares_N, vectors_NN = torch.linalg.eigh((centred_NP @ centred_NP.T).double())
    varying = int((squares_N > len(x_NP) * torch.finfo(x_NP.dtype).eps * squares_N[-1].clamp(min=0)).sum())
    if varying == 0 or squares_N[-1] <= 0:
        raise ValueError("images that are all equal have no principal components")
    leading_NK = vectors_NN.flip(1)[:, : min(components, varying)]
    basis_PK = torch.linalg.qr(centred_NP.T @ leading_NK.to(x_NP)).Q  # orthonormal beyond what the division leaves
    return PixelComponents(mean_P, basis_PK)


class Probe(nn.Module):
    """Up to four strided convolutions, 256 hidden units, 64 features, and a linear classifier for every varying factor.

    names: of the F factors with more than one value, in order. accuracies: float (F,), see `train_probe`.
    """

    accuracies: Tensor

    def __init__(self, observation_shape: tuple[int, ...], known: KnownClasses) -> None:
        super().__init__()
        self.varying = known.varying
        self.names = tuple(known.names[f] for f in self.varying)
        self.sizes = tuple(known.sizes[f] for f in self.varying)
        channels, side = observation_shape[0], min(observation_shape[1:])
        layers: list[nn.Module] = []
        for wide, out in ((channels, 16), (16, 32), (32, 64), (64, 64)):
            if side < 4:
                break
            layers += [nn.Conv2d(wide, out, 4, stride=2, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
            side, channels = side // 2, out
        head = [nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(channels * 16, 256), nn.ReLU(), nn.Linear(256, 64)]
        self.trunk = nn.Sequential(*layers, *head)
        self.heads = nn.Linear(64, sum(self.sizes))
        self.register_buffer("accuracies", torch.zeros(len(self.sizes)))

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to the logits of all classes of all factors (B, sum of sizes)."""
        logits: Tensor = self.heads(self.trunk(x))
        return logits

    @torch.inference_mode()
    def features(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to features (B, 64), float64 on the CPU."""
        features_BK: Tensor = self.trunk(x.to(self.accuracies))
        return features_BK.double().cpu()

    @torch.inference_mode()
    def classes(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to the likeliest class of each varying factor, int64 (B, F) on the CPU."""
        logits = self(x.to(self.accuracies)).split(self.sizes, dim=1)
        return torch.stack([part.argmax(1) for part in logits], dim=1).cpu()


def train_probe(dataset: Dataset, *, steps: int, progress: Callable[[int], None] = lambda steps: None) -> Probe:
    """Train a probe on random images; the same data set and steps give the same probe.

    All images of the data set are drawn from, also of one that shows only a part of them (a split, a correlation): the
    probe judges what a model makes of images, and the better it knows them the better it does.
    Its accuracies are measured on 512 random images, of which it has seen what chance will have it; guessing the
    commoner value of a rare label is right already as often as that value is there.
    ValueError when observations are no images, or no factor or label has two values.
    """
    if len(dataset.observation_shape) != 3:
        raise ValueError(f"a probe network reads images, and {dataset.name} holds vectors; use features=pixels")
    known = known_classes(dataset, "a probe network")
    if not known.varying:
        raise ValueError(f"a probe network needs a factor or label that varies, and {dataset.name} has none")
    generator = torch.Generator().manual_seed(SEED)
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
        torch.manual_seed(SEED)
        probe = Probe(dataset.observation_shape, known)
        optimizer = torch.optim.Adam(probe.parameters(), lr=RATE, fused=True)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
        for step in range(steps):
            x, classes_BF = _batch(dataset, known, probe, BATCH, generator)
            parts = probe(x).split(probe.sizes, dim=1)
            terms = [nn.functional.cross_entropy(part, classes_BF[:, f]) for f, part in enumerate(parts)]
            optimizer.zero_grad()
            torch.stack(terms).sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            progress(step + 1)
    probe.eval().requires_grad_(False)
    x, classes_BF = _batch(dataset, known, probe, NUM_TEST, generator)
    probe.accuracies.copy_((probe.classes(x) == classes_BF).float().mean(0))
    return probe


def factor_probe(
    dataset: Dataset, *, steps: int, cache: str | None, progress: Callable[[int], None] = lambda steps: None
) -> Probe:
    """A trained probe, kept in the folder `cache` under the data set's fingerprint and classes; None keeps nothing.

    ValueError as `train_probe`, and when a kept file is not a probe of this data set (nothing but tensors is ever read
    from it).
    """
    if cache is None:
        return train_probe(dataset, steps=steps, progress=progress)
    known = known_classes(dataset, "a probe network")
    path = expand_user(cache) / f"probe-{_digest(dataset, known, steps)}.pt"
    if not path.exists():
        trained = train_probe(dataset, steps=steps, progress=progress)
        with atomic_path(path) as beside:
            torch.save({"format": FORMAT, "state": trained.state_dict()}, beside)
        return trained
    probe = Probe(dataset.observation_shape, known)
    try:
        with path.open("rb") as file:
            kept = read_tensors(file)
        if not isinstance(kept, dict) or kept["format"] != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        probe.load_state_dict(kept["state"])
    except UNREADABLE as error:
        raise ValueError(f"{path} is not a kept probe of {dataset.name}; remove it and it is trained again") from error
    return probe.eval().requires_grad_(False)


def _batch(
    dataset: Dataset, known: KnownClasses, probe: Probe, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    indices = torch.randint(len(dataset), (count,), generator=generator)
    return as_float(dataset.raw(indices)), known.classes(indices)[:, probe.varying]


def _digest(dataset: Dataset, known: KnownClasses, steps: int) -> str:
    told = [FORMAT, dataset.fingerprint, list(dataset.observation_shape), list(known.names), list(known.sizes), steps]
    if not isinstance(dataset, FactorDataset):  # a grid's sizes say all; labels may be other ones of the same images
        told.append(_classes_digest(known, len(dataset)))
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:24]


def _classes_digest(known: KnownClasses, num_images: int) -> str:
    digest = hashlib.sha256()
    for indices in torch.split(torch.arange(num_images), ROWS):
        digest.update(known.classes(indices).numpy().astype("<i8").tobytes())
    return digest.hexdigest()


def check_probe_settings(steps: object, cache: object) -> None:
    """ValueError unless steps is a whole number of at least 1, and cache a folder's name or None."""
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
        raise SettingError(f"probe_steps must be a whole number of at least 1, not {steps!r}")
    if cache is not None and (not isinstance(cache, str) or not cache):
        raise SettingError(f"cache must be null or a folder, not {cache!r}")


def spread(features_NK: Tensor) -> float:
    """The root of the mean variance of features (N, K): dividing by it makes distances comparable."""
    return math.sqrt(float(features_NK.double().var(0).mean()))

"""Factor probe: a small convolutional classifier of every factor, or label, of a data set.

Its features are the 64 inputs of the linear classifiers. It is trained on the data set alone, with a fixed seed, so one
probe compares all models of a data set, and can be stored. B images, K features, F factors or labels that vary.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import torch
from torch import Tensor, nn

from lrx.core.checksum import sha256
from lrx.core.known_classes import KnownClasses, known_classes
from lrx.core.paths import expand_user
from lrx.core.statistics import binomial_se
from lrx.core.types import Dataset, FactorDataset, as_float
from lrx.core.validation import SettingError, check_whole
from lrx.storage.atomic import atomic_path
from lrx.storage.tensors import UNREADABLE, read_tensors

FORMAT = "lrx probe 2"  # part of a stored probe's name: raise the number with any change of network or training
SEED = 0
BATCH = 64
RATE = 2e-3  # of Adam at the first step, falling to 0 linearly
NUM_TEST, TEST_SHARE = 512, 5  # images held out for the accuracies, at most a fifth of all
ROWS = 2**14  # of classes that are in memory at once


class Probe(nn.Module):
    """Up to four strided convolutions, 256 hidden units, 64 features, and a linear classifier for each factor.

    names, sizes: of the F factors with more than one value, in order.
    accuracies, num_test: float (F,), on so many held-out images, see `train_probe`.
    """

    accuracies: Tensor
    num_test: Tensor

    def __init__(self, observation_shape: tuple[int, ...], known: KnownClasses) -> None:
        super().__init__()
        self.varying = known.varying
        self.names = tuple(known.names[f] for f in self.varying)
        self.sizes = tuple(known.sizes[f] for f in self.varying)
        channels, side = observation_shape[0], min(observation_shape[1:])
        layers: list[nn.Module] = []
        for inputs, outputs in ((channels, 16), (16, 32), (32, 64), (64, 64)):
            if side < 4:
                break
            layers += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
            side, channels = side // 2, outputs
        head = [nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(channels * 16, 256), nn.ReLU(), nn.Linear(256, 64)]
        self.trunk = nn.Sequential(*layers, *head)
        self.heads = nn.Linear(64, sum(self.sizes))
        self.register_buffer("accuracies", torch.zeros(len(self.sizes)))
        self.register_buffer("num_test", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to the logits of all classes of all factors (B, sum of sizes)."""
        logits: Tensor = self.heads(self.trunk(x))
        return logits

    @property
    def scores(self) -> dict[str, float]:
        """Mean accuracy over factors, and its standard error over images, as if factors failed together."""
        accuracy = float(self.accuracies.mean())
        return {"probe_accuracy": accuracy, "probe_accuracy_se": binomial_se(accuracy, int(self.num_test))}

    @torch.inference_mode()
    def features(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to features (B, 64), float64 on the CPU."""
        features_BK: Tensor = self.trunk(x.to(self.accuracies))
        return features_BK.double().cpu()

    @torch.inference_mode()
    def classes(self, x: Tensor) -> Tensor:
        """Predict the class of each varying factor, int64 (B, F) on the CPU, of images (B, C, H, W)."""
        logits = self(x.to(self.accuracies)).split(self.sizes, dim=1)
        return torch.stack([part.argmax(1) for part in logits], dim=1).cpu()


def train_probe(dataset: Dataset, *, steps: int, progress: Callable[[int], None] = lambda steps: None) -> Probe:
    """Train a probe on random images; the same data set and steps give the same probe.

    It is trained on images of the whole data set, also of one that shows a part of them (a split, a correlation),
    because it serves to measure what models make of them; all but those on which its accuracies are measured, 512 at
    random or a fifth of fewer. For a rare label, the base rate alone is a high accuracy.
    ValueError when observations are no images, or no factor or label has two values.
    """
    if len(dataset.observation_shape) != 3:
        raise ValueError(f"a probe network reads images, and {dataset.name} holds vectors; use features=pixels")
    known = known_classes(dataset, "a probe network")
    if not known.varying:
        raise ValueError(f"a probe network needs a factor or label that varies, and {dataset.name} has none")
    generator = torch.Generator().manual_seed(SEED)
    num_test = max(1, min(NUM_TEST, len(dataset) // TEST_SHARE))
    order = torch.randperm(len(dataset), generator=generator)
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
        torch.manual_seed(SEED)
        probe = Probe(dataset.observation_shape, known)
        optimizer = torch.optim.Adam(probe.parameters(), lr=RATE, fused=True)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
        for step in range(steps):
            drawn = torch.randint(len(order) - num_test, (BATCH,), generator=generator)
            x, classes_BF = _batch(dataset, known, probe, order[num_test + drawn])
            parts = probe(x).split(probe.sizes, dim=1)
            terms = [nn.functional.cross_entropy(part, classes_BF[:, f]) for f, part in enumerate(parts)]
            optimizer.zero_grad()
            torch.stack(terms).sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            progress(step + 1)
    probe.eval().requires_grad_(False)
    x, classes_BF = _batch(dataset, known, probe, order[:num_test])
    probe.num_test.fill_(num_test)
    probe.accuracies.copy_((probe.classes(x) == classes_BF).float().mean(0))
    return probe


def factor_probe(
    dataset: Dataset, *, steps: int, cache: str | None, progress: Callable[[int], None] = lambda steps: None
) -> Probe:
    """Load the probe of a data set from the folder `cache`, or train it and store it there; None stores nothing.

    The file is named after the data set's fingerprint and classes, and is read without running its code. ValueError as
    `train_probe`, and when the file is not a probe of this data set.
    """
    if cache is None:
        return train_probe(dataset, steps=steps, progress=progress)
    known = known_classes(dataset, "a probe network")
    path = expand_user(cache) / f"probe-{_digest(dataset, known, steps)}.pt"
    if not path.exists():
        trained = train_probe(dataset, steps=steps, progress=progress)
        with atomic_path(path) as temporary:
            torch.save({"format": FORMAT, "state": trained.state_dict()}, temporary)
        return trained
    probe = Probe(dataset.observation_shape, known)
    try:
        with path.open("rb") as file:
            content = read_tensors(file)
        if not isinstance(content, dict) or content["format"] != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        probe.load_state_dict(content["state"])
    except UNREADABLE as error:
        raise ValueError(f"{path} is not a kept probe of {dataset.name}; remove it to train it again") from error
    return probe.eval().requires_grad_(False)


def _batch(dataset: Dataset, known: KnownClasses, probe: Probe, indices: Tensor) -> tuple[Tensor, Tensor]:
    return as_float(dataset.raw(indices)), known.classes(indices)[:, probe.varying]


def _digest(dataset: Dataset, known: KnownClasses, steps: int) -> str:
    shape, names, sizes = list(dataset.observation_shape), list(known.names), list(known.sizes)
    content = [FORMAT, dataset.fingerprint, shape, names, sizes, steps]
    if not isinstance(dataset, FactorDataset):  # the sizes of a grid determine its classes; labels may change
        content.append(_classes_digest(known, len(dataset)))
    return sha256(json.dumps(content))[:24]


def _classes_digest(known: KnownClasses, num_images: int) -> str:
    digest = hashlib.sha256()
    for indices in torch.split(torch.arange(num_images), ROWS):
        digest.update(known.classes(indices).numpy().astype("<i8").tobytes())
    return digest.hexdigest()


def check_probe_settings(steps: object, cache: object) -> None:
    """Check that probe_steps is a whole number of at least 1, and cache a folder's name or None."""
    check_whole("probe_steps", steps, 1)
    if cache is not None and (not isinstance(cache, str) or not cache):
        raise SettingError(f"cache must be null or a folder, not {cache!r}")

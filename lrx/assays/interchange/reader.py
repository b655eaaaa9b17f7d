"""Reader of factors from decoded observations: the probe network of images, nearest neighbours of vectors.

Trained on the data set alone, so that one reader serves all its models. B observations, F varying factors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from lrx.core.types import FactorDataset, as_float
from lrx.responses.measurement import Measurement
from lrx.sample_quality.factor_probe import factor_probe

Reader = Callable[[Tensor], Tensor]  # observations (B, ...) to classes int64 (B, F), on the CPU
NEIGHBOURS, POINTS = 5, 20_000  # of vectors


def reader_of(
    m: Measurement,
    dataset: FactorDataset,
    varying: Sequence[int],
    *,
    steps: int,
    cache: str | None,
    progress: Callable[[int], None],
) -> tuple[Reader, str]:
    """Return a reader of the varying factors, and what it is in words.

    It learns from the whole data set, because it reads what decoders make of it; the ceilings of the assay hold what it
    misreads. progress: called with the steps of training that are done.
    """
    if len(dataset.observation_shape) == 3:
        probe = factor_probe(dataset, steps=steps, cache=cache, progress=progress).to(m.device_and_dtype.device)
        assert list(probe.varying) == list(varying)
        return probe.classes, f"probe network of {steps} steps, held-out accuracy {probe.scores['probe_accuracy']:.3f}"
    indices = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(0))[:POINTS]
    classes_NF = dataset.factors.classes(indices)[:, list(varying)]
    neighbours = KNeighborsClassifier(n_neighbors=min(NEIGHBOURS, len(indices)), weights="distance")
    neighbours.fit(as_float(dataset.raw(indices)).flatten(1).double().numpy(), classes_NF.numpy())
    progress(steps)

    def read(x: Tensor) -> Tensor:
        classes = torch.as_tensor(neighbours.predict(x.flatten(1).double().cpu().numpy()))
        return classes.view(len(x), -1).long()

    return read, f"{NEIGHBOURS} nearest of {len(indices):,} observations"

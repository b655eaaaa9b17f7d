"""Rows of a joined batch that one of several processes trains on, and the means over all processes.

The joined batch, its noise and its mean loss are those of one process: gradients are summed over processes, each
weighted by its fraction of the rows, and every process takes the same step. So the loss must be a mean over images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from lrx.core.row_noise import row_generator
from lrx.core.types import Paired, Trainable
from lrx.training.distributed import Ranks, all_reduce


@runtime_checkable
class MeanLoss(Trainable, Protocol):
    """Trainable that says whether the loss of a batch is the mean of the losses of its images, or pairs."""

    mean_over_images: bool


@dataclass(frozen=True)
class LocalBatch:
    """Rows of every batch that this process has: rows int64 (B,), their fraction of the batch, the loss's generator."""

    rows: Tensor
    fraction: float
    generator: torch.Generator

    def average_gradients(self, model: nn.Module) -> None:
        """Replace the gradients of the local rows by those of the joined batch."""
        if self.fraction == 1:
            return
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        joined = all_reduce(torch.cat([gradient.flatten() for gradient in gradients]) * self.fraction)
        parts = torch.split(joined, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def average_scalars(self, scalars: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the scalars of the joined batch, which are means over its images."""
        values = {key: value.item() for key, value in scalars.items()}
        if self.fraction == 1:
            return values
        joined = all_reduce(torch.tensor(list(values.values()), dtype=torch.float64) * self.fraction)
        return dict(zip(values, joined.tolist(), strict=True))


def local_batch(ranks: Ranks, model: Trainable, batch_size: int, device: torch.device) -> LocalBatch:
    """Return this process's rows of every batch; where rows do not divide evenly, the first ranks have one more.

    ValueError for a model or a batch size that processes cannot share.
    """
    if ranks.world_size > 1:
        _check_model(model, batch_size, ranks.world_size)
    rows = torch.tensor_split(torch.arange(batch_size), ranks.world_size)[ranks.rank]
    fraction, total = len(rows) / batch_size, batch_size
    if isinstance(model, Paired):  # whose batches hold the partners after the images
        rows, total = torch.cat([rows, rows + batch_size]), 2 * batch_size
    generator = torch.Generator(device) if ranks.world_size == 1 else row_generator(device, rows, total)
    return LocalBatch(rows, fraction, generator)


def _check_model(model: Trainable, batch_size: int, world_size: int) -> None:
    name = type(model).__name__
    if not (isinstance(model, MeanLoss) and model.mean_over_images):
        raise ValueError(
            f"{name} has a loss that looks across the batch, which {world_size} processes cannot share; train it in one"
        )
    assert isinstance(model, nn.Module)
    if any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in model.modules()):
        raise ValueError(
            f"the network of this {name} normalises across the batch, which {world_size} processes cannot share; train "
            "it in one, or take another network"
        )
    if batch_size < world_size:
        raise ValueError(f"{world_size} processes cannot share batches of {batch_size} images; start fewer")

"""Noise for the rows of a batch, also for a process that has only some of the rows."""

from __future__ import annotations

import torch
from torch import Tensor


class RowGenerator(torch.Generator):
    """Generator for some rows of a joined batch: `normal_like` then gives the noise that the whole batch has there.

    rows: int64 (B,), of `total` rows.
    """

    rows: Tensor
    total: int


def row_generator(device: torch.device, rows: Tensor, total: int) -> RowGenerator:
    """Return a generator on a device for these rows (torch's own constructor takes the device alone)."""
    generator = RowGenerator(device)
    generator.rows, generator.total = rows.to(device), total
    return generator


def normal_like(tensor: Tensor, generator: torch.Generator) -> Tensor:
    """Return standard normal noise in the shape (B, ...) of a tensor, one row for each row of the batch."""
    if not isinstance(generator, RowGenerator):
        return torch.empty_like(tensor).normal_(generator=generator)
    assert len(tensor) == len(generator.rows), (tensor.shape, generator.rows.shape)
    return tensor.new_empty(generator.total, *tensor.shape[1:]).normal_(generator=generator)[generator.rows]

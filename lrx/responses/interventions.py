"""Rows of the response matrix: responses to interventions on every latent, in pieces or summed on the spot.

Draws come in blocks, see `lrx.responses.latent_response`; h(z) of a block is computed once for all rows.
N draws, D latents, R rows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from lrx.core.types import Autoencoder, Dataset
from lrx.responses.draws import Block, Draws, draws
from lrx.responses.encoding import num_latents
from lrx.responses.latent_response import POINTS, intervene, respond
from lrx.responses.work_units import Values, WorkUnit


def row_pieces(
    autoencoder: Autoencoder,
    blocks: Iterable[Block],
    *,
    latents: int,
    num_samples: int,
    batch_size: int,
    summed: Callable[[BlockResponses, range], Values],
) -> Iterator[WorkUnit]:
    """Interventions on every latent for the first `num_samples` draws, (D + 1) num_samples responses, in pieces.

    A piece, of the key (block, first row), is a block of N draws and as many rows as fit `POINTS`; its values are what
    `summed` makes of them. h(z) is computed once for the pieces of a block that are evaluated in one process.
    """
    start, first = 0, None
    for number, block in enumerate(blocks):
        size = min(block.size, num_samples - start)
        responses = BlockResponses(autoencoder, block, size, start=start, first=first, batch=batch_size)
        first = first or responses
        step = max(1, POINTS // size)
        for row in range(0, latents, step):
            rows = range(row, min(row + step, latents))
            count = size * (len(rows) + (row == 0))  # h(z) counts once
            yield WorkUnit((number, row), count, functools.partial(summed, responses, rows))
        start += size
        if start == num_samples:
            return


class BlockResponses:
    """The draws of a block and their responses h(z), each computed once, when it is first asked for.

    start: how many draws come before this block. first: the responses of the first block of all, this one or another.
    """

    def __init__(
        self, autoencoder: Autoencoder, block: Block, size: int, *, start: int, first: BlockResponses | None, batch: int
    ) -> None:
        self._autoencoder, self._block, self._batch = autoencoder, block, batch
        self.size, self.start, self.first = size, start, first or self

    @functools.cached_property
    def draws(self) -> Draws:
        """The first `size` draws of the block."""
        return self._block.draws().first(self.size)

    @functools.cached_property
    def h_ND(self) -> Tensor:
        """The responses (N, D) at the base points, on the CPU."""
        return respond(self._autoencoder, self.draws.z_ND, batch_size=self._batch).cpu()

    def moved(self, rows: range) -> tuple[Tensor, ...]:
        """The responses (N, D) after do(z_j := v), for each latent j of the rows, on the CPU."""
        z_ND, values_ND = self.draws.z_ND, self.draws.values_ND
        moved = torch.cat([intervene(z_ND, j, values_ND[:, j]) for j in rows])
        return torch.split(respond(self._autoencoder, moved, batch_size=self._batch).cpu(), self.size)


def prior_responses(
    autoencoder: Autoencoder,
    dataset: Dataset,
    rows: Sequence[int],
    *,
    num_samples: int,
    generator: torch.Generator,
    batch_size: int,
    progress: Callable[[int], None] = lambda responses: None,
) -> tuple[Tensor, Tensor]:
    """Rows (R, D) of the response matrix over prior draws on the scale `none`, and standard errors (R, D), in float64.

    To choose latents by; the assay `response_matrix` measures it. An exact zero has the standard error 0. `progress`
    hears of the responses, (R + 1) num_samples in all.
    """
    sums_2RD = torch.zeros(2, len(rows), num_latents(autoencoder, dataset), dtype=torch.float64)
    count = 0
    for block in draws(autoencoder, dataset, base="prior", generator=generator, batch_size=batch_size):
        part = block.first(num_samples - count)
        h_ND = respond(autoencoder, part.z_ND, batch_size=batch_size)
        for place, row in enumerate(rows):
            moved_ND = respond(autoencoder, intervene(part.z_ND, row, part.values_ND[:, row]), batch_size=batch_size)
            square_ND = (moved_ND - h_ND).double().square().cpu()
            sums_2RD[:, place] += torch.stack([square_ND.sum(0), square_ND.square().sum(0)])
            progress(count * (len(rows) + 1) + len(part) * (place + 2))
        count += len(part)
        if count == num_samples:
            break
    mean_RD, fourth_RD = sums_2RD / num_samples
    matrix_RD = mean_RD.sqrt()
    se_RD = ((fourth_RD - mean_RD.square()).clamp(min=0) / (num_samples - 1)).sqrt()
    return matrix_RD, torch.where(matrix_RD > 0, se_RD / (2 * matrix_RD), 0.0)

"""Responses to interventions on every latent, in work units of a block of draws and some rows.

Draws come in blocks (`lrx.responses.draws`); h(z) of a block is computed once for all rows.
N draws, D latents, R rows: the units that are set, each latent alone or several at once (`lrx.responses.units`).
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from lrx.core.devices import to_device
from lrx.core.types import Autoencoder
from lrx.responses.draws import Block, Draws
from lrx.responses.enumeration import num_values
from lrx.responses.latent_response import POINTS, intervene, respond
from lrx.responses.units import Units
from lrx.responses.work_units import Values, WorkUnit

BAND, BANDS = 32, 64  # rows of a band, at least, so that h(z) is a small part of it; and bands, at most


def block_responses(
    autoencoder: Autoencoder,
    blocks: Iterable[Block],
    *,
    rows: Sequence[int],
    units: Units,
    num_samples: int | Sequence[int],
    batch_size: int,
) -> Iterator[BlockResponses]:
    """Yield the responses of blocks, the last one cut so that they have `num_samples` draws in all.

    num_samples: of all rows, or of each, the largest number first; only whole blocks, as cut, are a row's.
    """
    start, first = 0, None
    draws_R = [num_samples] * len(rows) if isinstance(num_samples, int) else num_samples
    for block in blocks:
        size = min(block.size, draws_R[0] - start)
        part = rows[: sum(number >= start + size for number in draws_R)]
        responses = BlockResponses(
            autoencoder, block, part, units, size=size, start=start, first=first, batch_size=batch_size
        )
        first = first or responses
        yield responses
        start += size
        if start == draws_R[0]:
            return


def row_units(drawn: Iterable[BlockResponses], sums: Callable[[BlockResponses, range], Values]) -> Iterator[WorkUnit]:
    """Yield units of `block_responses`: (R + 1) responses for each draw of all rows, (R V + 1) of V set values.

    A unit, of the key (block, first row), is a block of N draws and as many rows as fit `POINTS`; its values are
    `sums(block, places)`, places being those in its rows. h(z) is computed once for the units of a block that are
    evaluated in one process.
    """
    for number, block in enumerate(drawn):
        for places in block.steps(block.places):
            count = block.num_responses(places)
            yield WorkUnit((number, places.start), count, functools.partial(sums, block, places))


def band_units(
    drawn: Iterable[BlockResponses],
    sums: Callable[[BlockResponses, range], Values],
    total: Callable[[range, Iterable[tuple[int, Values]]], Values],
) -> Iterator[WorkUnit]:
    """Yield units that have all draws and some rows each, so that a process needs no sums of the rows of others.

    A unit has the key (0, first row); its values are `total(places, parts)`, a part being a first place and the
    `sums(block, places)` that `row_units` has. Each unit computes h(z) anew.
    """
    all_drawn = list(drawn)

    def evaluate(places: range) -> Values:
        parts = ((some.start, sums(block, some)) for block in map(copy.copy, all_drawn) for some in block.steps(places))
        return total(places, parts)

    for places in bands(len(all_drawn[0].places)):
        count = sum(block.num_responses(places) for block in all_drawn)
        yield WorkUnit((0, places.start), count, functools.partial(evaluate, places))


def bands(rows: int) -> list[range]:
    """Return the places of rows of each unit of `band_units`: at least `BAND`, and at most `BANDS` units."""
    step = max(BAND, -(-rows // BANDS))
    return [range(place, min(place + step, rows)) for place in range(0, rows, step)]


class BlockResponses:
    """Draws of a block and their responses h(z), each computed once, when it is first asked for.

    rows: the units that are set, by number. start: number of draws before this block. first: the responses of the
    first block of all, this one or another.
    """

    def __init__(
        self,
        autoencoder: Autoencoder,
        block: Block,
        rows: Sequence[int],
        units: Units,
        *,
        size: int,
        start: int,
        first: BlockResponses | None,
        batch_size: int,
    ) -> None:
        self._autoencoder, self._block, self._rows, self._batch_size = autoencoder, block, rows, batch_size
        self.units = units
        self.size, self.start, self.first = size, start, first or self

    @functools.cached_property
    def draws(self) -> Draws:
        """Draws of the block, the first `size`."""
        return self._block.draws().first(self.size)

    @functools.cached_property
    def h_ND(self) -> Tensor:
        """Responses (N, D) at the base points, on the CPU."""
        return respond(self._autoencoder, self.draws.z_ND, batch_size=self._batch_size).cpu()

    @property
    def places(self) -> range:
        """Places of the rows that have this block."""
        return range(len(self._rows))

    def steps(self, places: range) -> Iterator[range]:
        """Yield these places, those of rows that have this block, as many at a time as fit `POINTS`."""
        places = self.places[places.start : places.stop]
        step = max(1, POINTS // (self.size * num_values(self._block.enumeration)))
        for place in range(places.start, places.stop, step):
            yield range(place, min(place + step, places.stop))

    def num_responses(self, places: range) -> int:
        """Return the responses that rows at these places take; those at 0 have h(z) with them, which counts once."""
        places = self.places[places.start : places.stop]
        return self.size * (len(places) * num_values(self._block.enumeration) + (places.start == 0))

    def set_at(self, places: range) -> list[int]:
        """Return the units at these places of the rows."""
        return [self._rows[place] for place in places]

    def after_interventions(self, places: range) -> tuple[Tensor, ...]:
        """Return the responses (N, D) after do(z_u := v), for each unit u at these places, on the CPU.

        Of quantised latents, responses that are changed by the root mean square over v: `Enumeration.changed`.
        """
        z_ND, values_ND, enumeration = self.draws.z_ND, self.draws.values_ND, self._block.enumeration
        if enumeration:
            latents = [int(self.units.members[unit]) for unit in self.set_at(places)]
            return enumeration.changed(self._autoencoder, z_ND, self.h_ND, latents, batch_size=self._batch_size)
        members = [to_device(self.units.members[unit], z_ND.device) for unit in self.set_at(places)]
        set_ND = torch.cat([intervene(z_ND, m, values_ND[:, m]) for m in members])
        return torch.split(respond(self._autoencoder, set_ND, batch_size=self._batch_size).cpu(), self.size)

"""Cost of a measurement, counted before it begins: passes of the model by their kind, and memory that it keeps.

Each assay has a function `cost(measurement, settings)` in its file cost.py, which counts what `measure` will do. Where
that depends on what is measured, the count is an upper bound, and `at_most` says so. R rows: what is set, such as
latents; C columns: the responses that are seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from lrx.core.factors import FactorSpace
from lrx.core.text import count_of
from lrx.responses.adaptive import STREAM, net_sizes
from lrx.responses.conditioned import num_responses
from lrx.responses.draws import BLOCK
from lrx.responses.encoding import num_drawn
from lrx.responses.enumeration import IMAGES, latent_values
from lrx.responses.interventions import bands
from lrx.responses.latent_response import POINTS
from lrx.responses.measure_matrix import GROUPS, is_large, measure_matrix
from lrx.responses.measurement import Measurement, no_progress
from lrx.responses.work_units import ALL_UNITS, Shard

DOUBLE = 8  # bytes
FORWARD_MODE = 2  # products that one of forward mode counts for: a response with its tangent takes as long as five
ROWS = 3  # of a piece
ARRAYS = 6  # matrices of doubles that a result has, or works with: the matrix, its errors, mean squares


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Passes of one observation each, and bytes beside the model, the data and the activations of a batch.

    responses: decode, then encode. encoded: means of images, of which a run of several assays encodes each once.
    posteriors: means and deviations of images. decoded: latents. products: of a Jacobian with a vector, each as long as
    two responses more. exact: draws that pass through no network, as of sparse codes.
    memory: bytes by what they hold, such as "sums of 10 x 10 responses". at_most: whether passes are an upper bound.
    less: the settings that make it less. instead: what asks for less, in words.
    piece: a part of the work itself, and its number of responses or exact draws: what is done beside passes shows in
        its time.
    """

    responses: int = 0
    encoded: int = 0
    posteriors: int = 0
    decoded: int = 0
    products: int = 0
    exact: int = 0
    memory: Mapping[str, int] = field(default_factory=dict)
    at_most: bool = False
    less: tuple[str, ...] = ()
    instead: str = ""
    piece: tuple[int, Callable[[], object]] | None = field(default=None, compare=False, repr=False)

    def __add__(self, other: Cost) -> Cost:
        """Return the cost of both, the memory of both being kept at the same time."""
        return Cost(
            responses=self.responses + other.responses,
            encoded=self.encoded + other.encoded,
            posteriors=self.posteriors + other.posteriors,
            decoded=self.decoded + other.decoded,
            products=self.products + other.products,
            exact=self.exact + other.exact,
            memory={**self.memory, **other.memory},
            at_most=self.at_most or other.at_most,
            less=(*self.less, *(name for name in other.less if name not in self.less)),
            instead=self.instead or other.instead,
            piece=self.piece or other.piece,
        )

    @property
    def encodings(self) -> int:
        """Observations that pass through the encoder."""
        return self.responses + self.encoded + self.posteriors

    @property
    def decodings(self) -> int:
        """Latents that pass through the decoder."""
        return self.responses + self.decoded

    @property
    def passes(self) -> int:
        """Passes in responses, about: encoder or decoder alone count half."""
        return (self.encodings + self.decodings + 1) // 2 + 2 * self.products

    @property
    def num_bytes(self) -> int:
        """Bytes that are kept."""
        return sum(self.memory.values())

    def __str__(self) -> str:
        """Write the counts that matter: those of a tenth of the passes or more, and at least one."""
        images = self.encoded + self.posteriors
        parts = [
            (self.responses, count_of(self.responses, "response")),
            (2 * self.products, f"{self.products:,} derivative passes"),
            (images // 2, f"{count_of(images, 'image')} encoded"),
            (self.decoded // 2, f"{self.decoded:,} decoded"),
        ]
        texts = [text for passes, text in parts if passes and passes * 10 >= self.passes]
        if self.exact:
            texts.insert(0, f"{self.exact:,} exact draws")
        text = ", ".join(texts) or "no pass"
        return f"at most {text}" if self.at_most else text


def encoded_for_draws(m: Measurement, num_samples: int) -> int:
    """Return the images that this number of draws from data encodes: whole blocks, see `lrx.responses.draws`."""
    available = num_drawn(m.dataset)
    epochs, left = divmod(num_samples, available)
    blocks = math.ceil(available / BLOCK)
    encoded = epochs * available
    for block in range(blocks):
        if left <= 0:
            break
        size = available // blocks + (block < available % blocks)
        encoded, left = encoded + size, left - size
    return encoded


def matrix_cost(
    m: Measurement,
    *,
    num_samples: int,
    base: str = "prior",
    rows: int | None = None,
    net: int = 1,
    num_groups: int = 0,
    with_std: bool = False,
) -> Cost:
    """Return the cost of `lrx.responses.measure_matrix`, or of the share of it that this process has.

    rows: None for all units of the measurement. with_std: see `ResponseMatrix`. Quantised latents are set to each of
    their values, at most.
    """
    columns = len(m.units)
    rows = columns if rows is None else rows
    encoded = 0 if base == "prior" else encoded_for_draws(m, num_samples)
    values_DV = latent_values(m) if m.units.are_elements else None
    number = 1 if values_DV is None else values_DV.shape[1]
    weighed = 0 if values_DV is None or base == "prior" else min(IMAGES * num_samples, num_drawn(m.dataset))
    doubles = (16 if with_std else 4) * columns  # of a row
    unit, again, kept = max(POINTS, BLOCK * number) + BLOCK, 2 * BLOCK, rows
    if isinstance(m.share, Shard) and is_large(rows * doubles):
        parts = bands(rows)
        own = min(len(parts), -(-len(parts) // m.share.count) + 1)  # a shard has all that begin within its part
        kept = min(rows, own * len(parts[0]))
        unit, again = num_samples * len(parts[0]) * number, (own + 1) * num_samples
        encoded *= own
    elif isinstance(m.share, Shard):  # and h(z) of the first block of all, and of the one that it begins within
        encoded = min(encoded, -(-encoded // m.share.count) + 3 * BLOCK)
        kept = rows * (-(-num_samples // (BLOCK * m.share.count)) + 1)  # sums of each block, which are small
    elif m.share is not ALL_UNITS:
        encoded = 0
    doubles *= 1 if base == "prior" else 2
    groups = 2 * columns * min(num_groups, GROUPS, num_samples // net)  # a bootstrap takes a copy
    result = 0 if isinstance(m.share, Shard) else ARRAYS * columns
    return Cost(
        responses=shared(m, num_samples * (rows * number + 1), unit=unit, again=again),
        encoded=weighed + (encoded if base == "posterior" else 0),
        posteriors=encoded if base == "posterior_sample" else 0,
        memory={f"sums of {kept:,} x {columns:,} responses": DOUBLE * kept * (doubles + groups + result)},
        at_most=isinstance(m.share, Shard) or weighed > 0,
        piece=(BLOCK * (min(rows, ROWS) * number + 1), lambda: _block(m, base, min(rows, ROWS), net)),
    )


def adaptive_cost(
    m: Measurement,
    *,
    base: str,
    num_pilot: int,
    max_samples: int,
    quasi: bool,
    num_groups: int = 0,
    with_std: bool = False,
) -> Cost:
    """Return at most what `lrx.responses.adaptive.measure_to_target` takes, or the share of it that this process has.

    Rows with nets of one size have draws of their own, so h(z) is computed for each size, of all that a stream gives.
    """
    nets = net_sizes(num_pilot, max_samples, quasi=quasi)
    alone = replace(m, share=ALL_UNITS)
    pilot = matrix_cost(alone, num_samples=-(-num_pilot // nets[0]) * nets[0], base=base, net=nets[0])
    part = m if isinstance(m.share, Shard) else alone  # who joins shards computes what they leave
    most = -(-max_samples // nets[-1]) * nets[-1]
    counted = matrix_cost(part, num_samples=most, base=base, net=nets[-1], num_groups=num_groups, with_std=with_std)
    return replace(
        counted,
        responses=pilot.responses + counted.responses + (STREAM * len(nets) - 1) * most,
        encoded=pilot.encoded + STREAM * counted.encoded,
        posteriors=pilot.posteriors + STREAM * counted.posteriors,
        at_most=True,
    )


def _block(m: Measurement, base: str, rows: int, net: int) -> None:
    """Measure some rows over one block of draws, which are the same each time."""
    own = replace(m, share=ALL_UNITS, progress=no_progress, generator=torch.Generator().manual_seed(0))
    measure_matrix(own, base=base, num_samples=BLOCK, net=net, rows=range(rows))


def conditioned_cost(
    m: Measurement, factors: FactorSpace, chosen: Sequence[int], *, num_groups: int, max_pairs: int
) -> Cost:
    """Return the cost of `lrx.responses.conditioned` for some factors, or of the share that this process has.

    Latents that do not vary within a group are not decoded, so that it is an upper bound.
    """
    cost, unit, ratio = Cost(), POINTS, 0.0
    for factor in chosen:
        size = factors.sizes[factor]
        groups = min(num_groups, factors.num_points // size)
        responses = num_responses(factors, factor, len(m.units), num_groups=num_groups, max_pairs=max_pairs)
        cost += Cost(responses=responses, encoded=groups * size)
        unit, ratio = max(unit, responses // groups), max(ratio, groups * size / responses)
    responses = shared(m, cost.responses, unit=unit)
    return Cost(
        responses=responses,
        encoded=min(cost.encoded, math.ceil(ratio * responses)),
        memory={f"means of {num_groups:,} groups": 2 * DOUBLE * num_groups * len(m.units) * len(chosen)},
        at_most=True,
    )


def shared(m: Measurement, responses: int, *, unit: int, again: int = 0) -> int:
    """Return how many of these responses a process computes: all, or at most its share of work units.

    unit: responses of a work unit, at most. again: responses that every shard computes for itself.
    """
    if m.share is ALL_UNITS:
        return responses
    if isinstance(m.share, Shard):
        return min(responses, -(-responses // m.share.count) + unit + again)
    return 0  # who joins shards evaluates nothing


def fewer_rows(m: Measurement) -> str:
    """Return what sets fewer units than these, in words."""
    if len(m.latent_shape) > 1 and m.units.kind != "channel":
        return "units=channel, which sets each channel as one"
    return "assay=traversal assay.latents=[0,1], which sets two alone"

"""Latent responses and interventions: h(z) = encode(decode(z)), do(z_j := v), and the draws of z and v.

Source: Leeb et al. 2022 (arXiv 2106.16091), section 3. N samples, D latents, B observations of a batch.
Random numbers come from a CPU generator, in double precision and in blocks of a fixed size, and are then brought to
the model's device and dtype: so neither the batch size, nor the device, nor when sampling stops changes a draw.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lrx.codes import encode_images, evaluating, image_order, num_drawn, num_latents, placement, posterior_of_images
from lrx.pieces import Piece, Values
from lrx.types import Autoencoder, Dataset, Probabilistic

BASES = ("prior", "posterior", "posterior_sample")
INFORMATIVE = 0.5  # a latent is informative above this response to itself, on the scale `none` (Leeb et al. 2022)
BLOCK = 128  # draws that share one cyclic shift; also the unit in which `draws` yields
POINTS = 1024  # responses of a piece, at most, where a block has no more draws: as many rows as fit


def respond(autoencoder: Autoencoder, z_ND: Tensor, *, batch_size: int) -> Tensor:
    """The response h(z) (N, D) of latents z (N, D), in their dtype and on their device, `batch_size` at a time.

    The decoder's output goes to the encoder as it is, in the memory format in which it comes.
    ValueError when the encoder gives another number of latents, or a response is not finite.
    """
    h_ND = torch.empty_like(z_ND)  # outside inference mode, so that the caller may differentiate what follows
    with evaluating(autoencoder):
        for start in range(0, len(z_ND), batch_size):
            z_BD = z_ND[start : start + batch_size]
            h_BD = autoencoder.encode(autoencoder.decode(z_BD))
            if h_BD.shape != z_BD.shape:
                raise ValueError(f"encode(decode(z)) turns {tuple(z_BD.shape)} into {tuple(h_BD.shape)}, not the same")
            h_ND[start : start + batch_size] = h_BD
    if not torch.isfinite(h_ND).all():
        raise ValueError("the responses of the model are not finite: its weights hold NaN, or its codes overflow")
    return h_ND


def intervene(z_ND: Tensor, latent: int, values_N: Tensor) -> Tensor:
    """do(z_latent := v): a new tensor (N, D), z (N, D) with one column replaced by the values (N,)."""
    moved_ND = z_ND.clone()
    moved_ND[:, latent] = values_N
    return moved_ND


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


@dataclass(frozen=True)
class Draws:
    """Base points z (N, D), and values v (N, D) whose column j is for do(z_j := v).

    partners: int64 (N, D) on the CPU, the draw whose latent j is the value, where values come from data; draw i and
    its partner then share an image, and their responses are not independent. None where values are independent.
    """

    z_ND: Tensor
    values_ND: Tensor
    partners_ND: Tensor | None = None

    def __len__(self) -> int:
        """The number of draws, N."""
        return len(self.z_ND)

    def first(self, count: int) -> Draws:
        """The first draws; a partner beyond them stays, as an index of at least `count`."""
        partners_ND = None if self.partners_ND is None else self.partners_ND[:count]
        return Draws(self.z_ND[:count], self.values_ND[:count], partners_ND)


@dataclass(frozen=True)
class Block:
    """So many draws, whose random numbers are drawn already; images are encoded when `draws` is called."""

    size: int
    draws: Callable[[], Draws]


def draws(
    autoencoder: Autoencoder, dataset: Dataset, *, base: str, generator: torch.Generator, batch_size: int
) -> Iterator[Draws]:
    """Endless blocks of at most `BLOCK` draws; the first n draws are the same however far one reads on.

    base: `prior`, z and v standard normal; `posterior`, z the encoder's mean of an image; `posterior_sample`, z drawn
    from the posterior of an image. From data, v is latent j of another image of the block (`cyclic_partners`); images
    come in random order, each once before any comes again.
    ValueError for another base, a model without posterior, or a data set with fewer than 2 images.
    """
    found = blocks(autoencoder, dataset, base=base, generator=generator, batch_size=batch_size)
    return (block.draws() for block in found)


def blocks(
    autoencoder: Autoencoder, dataset: Dataset, *, base: str, generator: torch.Generator, batch_size: int, net: int = 1
) -> Iterator[Block]:
    """The blocks of `draws`, for those who may not need them all.

    net: above 1, a power of two that divides BLOCK, prior draws come as nets of so many points (`sobol_net`). Nets are
    independent of each other, the points of one are not.
    """
    if base not in BASES:
        raise ValueError(f"assay.base must be one of {', '.join(BASES)}, not {base!r}")
    if base == "posterior_sample" and not isinstance(autoencoder, Probabilistic):
        raise ValueError(f"assay.base=posterior_sample needs a posterior, and {type(autoencoder).__name__} has none")
    available = num_drawn(dataset)
    if base != "prior" and available < 2:
        raise ValueError(f"assay.base={base} takes values from other images, and {dataset.name} has {available}")
    latents = num_latents(autoencoder, dataset)
    if base == "prior" and net > 1:
        return _net_blocks(autoencoder, latents, generator, net)
    if base == "prior":
        return _prior_blocks(autoencoder, latents, generator)
    return _data_blocks(autoencoder, dataset, latents, base == "posterior_sample", generator, batch_size)


def _prior_blocks(autoencoder: Autoencoder, latents: int, generator: torch.Generator) -> Iterator[Block]:
    home = placement(autoencoder)
    while True:
        z_ND, values_ND = _normal(2, BLOCK, latents, generator=generator).to(home.dtype).to(home.device)
        yield Block(BLOCK, functools.partial(Draws, z_ND, values_ND))


def _net_blocks(autoencoder: Autoencoder, latents: int, generator: torch.Generator, net: int) -> Iterator[Block]:
    home = placement(autoencoder)

    def drawn(seeds: list[int]) -> Draws:
        points = torch.cat([sobol_net(net, latents + 1, seed) for seed in seeds]).to(home.dtype).to(home.device)
        return Draws(points[:, :latents], points[:, latents:].expand(-1, latents))

    while True:
        seeds = torch.randint(2**62, (BLOCK // net,), generator=generator).tolist()
        yield Block(BLOCK, functools.partial(drawn, seeds))


def sobol_net(count: int, dimensions: int, seed: int) -> Tensor:
    """A scrambled Sobol net as standard normal numbers, float64 (count, dimensions): each point is a normal draw, and
    the points of a net together fill space more evenly than independent ones (Owen 1997)."""
    engine = torch.quasirandom.SobolEngine(dimensions, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    cells: Tensor = engine.draw(count, dtype=torch.float64)
    normal: Tensor = torch.special.ndtri(cells + 2.0**-31)  # middles of cells 2^-30 wide, of which one begins at 0
    return normal


def _data_blocks(
    autoencoder: Autoencoder, dataset: Dataset, latents: int, sample: bool, generator: torch.Generator, batch_size: int
) -> Iterator[Block]:
    def encoded(indices: Tensor, noise_ND: Tensor | None, partners_ND: Tensor) -> Draws:
        if noise_ND is None:
            z_ND = encode_images(autoencoder, dataset, indices, batch_size=batch_size)
        else:
            mean_ND, std_ND = posterior_of_images(autoencoder, dataset, indices, batch_size=batch_size)
            z_ND = mean_ND + std_ND * noise_ND.to(mean_ND.dtype).to(mean_ND.device)
        return Draws(z_ND, z_ND.gather(0, partners_ND.to(z_ND.device)), partners_ND)

    while True:
        order = image_order(dataset, generator)
        for indices in torch.tensor_split(order, math.ceil(len(order) / BLOCK)):  # even parts: none is a single image
            noise_ND = _normal(len(indices), latents, generator=generator) if sample else None
            partners_ND = cyclic_partners(len(indices), latents, generator=generator)
            yield Block(len(indices), functools.partial(encoded, indices, noise_ND, partners_ND))


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


def row_pieces(
    autoencoder: Autoencoder,
    blocks: Iterable[Block],
    *,
    latents: int,
    num_samples: int,
    batch_size: int,
    summed: Callable[[BlockResponses, range], Values],
) -> Iterator[Piece]:
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
            yield Piece((number, row), count, functools.partial(summed, responses, rows))
        start += size
        if start == num_samples:
            return


def _normal(*shape: int, generator: torch.Generator) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def cyclic_partners(count: int, latents: int, *, generator: torch.Generator) -> Tensor:
    """For each latent a derangement of `count` rows: int64 (count, latents), row i to i + shift, never i itself.

    Every latent has its own shift, uniform over 1 to count - 1.
    """
    assert count >= 2, count
    shifts_D = torch.randint(1, count, (latents,), generator=generator)
    return (torch.arange(count)[:, None] + shifts_D) % count

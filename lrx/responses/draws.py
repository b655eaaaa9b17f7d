"""Draws of base points z and values v for interventions do(z_j := v), from the prior or from data.

Source: Leeb et al. 2022 (arXiv 2106.16091), section 3. N samples, D latents, B observations of a batch.
Random numbers come from a CPU generator, in double precision and in blocks of a fixed size, and are then brought to
the model's device and dtype: so neither the batch size, nor the device, nor when sampling stops changes a draw.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lrx.core.devices import to_device
from lrx.core.types import Autoencoder, Dataset, Probabilistic
from lrx.core.validation import SettingError
from lrx.responses.encoding import (
    device_and_dtype_of,
    encode_images,
    image_order,
    num_drawn,
    num_latents,
    posterior_of_images,
)

BASES = ("prior", "posterior", "posterior_sample")
BLOCK = 128  # draws that share one cyclic shift; also the unit in which `draws` yields


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
        raise SettingError(f"base must be one of {', '.join(BASES)}, not {base!r}")
    if base == "posterior_sample" and not isinstance(autoencoder, Probabilistic):
        raise SettingError(f"base=posterior_sample needs a posterior, and {type(autoencoder).__name__} has none")
    available = num_drawn(dataset)
    if base != "prior" and available < 2:
        raise SettingError(f"base={base} takes values from other images, and {dataset.name} has {available}")
    latents = num_latents(autoencoder, dataset)
    if base == "prior" and net > 1:
        return _net_blocks(autoencoder, latents, generator, net)
    if base == "prior":
        return _prior_blocks(autoencoder, latents, generator)
    return _data_blocks(autoencoder, dataset, latents, base == "posterior_sample", generator, batch_size)


def _prior_blocks(autoencoder: Autoencoder, latents: int, generator: torch.Generator) -> Iterator[Block]:
    home = device_and_dtype_of(autoencoder)
    while True:
        z_ND, values_ND = to_device(_normal(2, BLOCK, latents, generator=generator).to(home.dtype), home.device)
        yield Block(BLOCK, functools.partial(Draws, z_ND, values_ND))


def _net_blocks(autoencoder: Autoencoder, latents: int, generator: torch.Generator, net: int) -> Iterator[Block]:
    home = device_and_dtype_of(autoencoder)

    def drawn(seeds: list[int]) -> Draws:
        nets = torch.cat([sobol_net(net, latents + 1, seed) for seed in seeds])
        points = to_device(nets.to(home.dtype), home.device)
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
            z_ND = mean_ND + std_ND * to_device(noise_ND.to(mean_ND.dtype), mean_ND.device)
        return Draws(z_ND, z_ND.gather(0, to_device(partners_ND, z_ND.device)), partners_ND)

    while True:
        order = image_order(dataset, generator)
        for indices in torch.tensor_split(order, math.ceil(len(order) / BLOCK)):  # even parts: none is a single image
            noise_ND = _normal(len(indices), latents, generator=generator) if sample else None
            partners_ND = cyclic_partners(len(indices), latents, generator=generator)
            yield Block(len(indices), functools.partial(encoded, indices, noise_ND, partners_ND))


def _normal(*shape: int, generator: torch.Generator) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def cyclic_partners(count: int, latents: int, *, generator: torch.Generator) -> Tensor:
    """For each latent a derangement of `count` rows: int64 (count, latents), row i to i + shift, never i itself.

    Every latent has its own shift, uniform over 1 to count - 1.
    """
    assert count >= 2, count
    shifts_D = torch.randint(1, count, (latents,), generator=generator)
    return (torch.arange(count)[:, None] + shifts_D) % count

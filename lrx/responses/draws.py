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
from lrx.core.types import Probabilistic
from lrx.core.validation import SettingError, check_choice
from lrx.responses.encoding import encode_images, image_order, num_drawn, posterior_of_images
from lrx.responses.enumeration import Enumeration, of_prior
from lrx.responses.measurement import Measurement

AUTO = "auto"
BASES = ("prior", "posterior", "posterior_sample")
BASE_MEANING = "source of base points and values: prior | posterior | posterior_sample; auto: prior, or posterior of "
BASE_MEANING += "codes (channel, y, x) without one"
LEAST_QUASI = 256  # draws from which on the spread of nets is no larger than that of independent draws
BLOCK = 128  # draws that share one cyclic shift; also the unit in which `draws` yields


@dataclass(frozen=True)
class Draws:
    """Base points z (N, D), and values v (N, D) whose column j is for do(z_j := v).

    partners: int64 (N, D) on the CPU, the draw whose latent j is the value, where values come from data; draw i and
    its partner then share an image, and their responses are not independent. None where values are independent.
    weights: float64 (N, D) on the CPU, of the squared changes by each value, where some values are drawn more often
    than they are in the marginal (`lrx.responses.long_steps`). None where all weigh the same.
    """

    z_ND: Tensor
    values_ND: Tensor
    partners_ND: Tensor | None = None
    weights_ND: Tensor | None = None

    def __len__(self) -> int:
        """Return the number of draws, N."""
        return len(self.z_ND)

    def first(self, count: int) -> Draws:
        """Return the first draws; a partner beyond them stays, as an index of at least `count`."""
        partners_ND, weights_ND = (
            part if part is None else part[:count] for part in (self.partners_ND, self.weights_ND)
        )
        return Draws(self.z_ND[:count], self.values_ND[:count], partners_ND, weights_ND)


@dataclass(frozen=True)
class Block:
    """Block of `size` draws, whose random numbers are drawn already; images are encoded when `draws` is called.

    enumeration: of quantised latents, whose values are all set and not drawn.
    """

    size: int
    draws: Callable[[], Draws]
    enumeration: Enumeration | None = None


def base_of(m: Measurement, base: str) -> str:
    """Return the base that `auto` stands for: the prior, or `posterior` where codes have a shape and no posterior.

    SettingError for the prior of such codes: a standard normal is no prior of theirs.
    """
    has_prior = len(m.latent_shape) == 1 or isinstance(m.autoencoder, Probabilistic)
    if base == "prior" and not has_prior:
        raise SettingError(
            f"base=prior: no prior is known of codes {m.latent_shape} of a model without posterior; "
            "give base=posterior, whose values come from other images"
        )
    return base if base != AUTO else "prior" if has_prior else "posterior"


def check_prior(m: Measurement) -> None:
    """Check that the codes have a prior to draw from. ValueError says why not."""
    if base_of(m, AUTO) != "prior":
        raise ValueError(
            f"this assay draws latents from the standard normal, which is no prior of codes {m.latent_shape} of a "
            "model without posterior; response_matrix, traversal and spatial_response take values of other images"
        )


def draws(m: Measurement, *, base: str) -> Iterator[Draws]:
    """Yield endless blocks of at most `BLOCK` draws; the first n draws are the same for any number that is read.

    base: `prior`, z and v standard normal; `posterior`, z the encoder's mean of an image; `posterior_sample`, z drawn
    from the posterior of an image. From data, v is latent j of another image of the block (`cyclic_partners`); images
    come in random order, each once before any comes again.
    SettingError for another base, a model without posterior, or a data set with fewer than 2 images.
    """
    return (block.draws() for block in blocks(m, base=base))


def blocks(m: Measurement, *, base: str, net: int = 1) -> Iterator[Block]:
    """Yield the blocks of `draws`, whose images are encoded only when `Block.draws` is called.

    net: above 1, a power of two that divides BLOCK, prior draws come as nets of this many points (`sobol_net`). Nets
    are independent of each other, the points of one are not.
    The latents of a unit of the measurement are set together, and so take their values from one image.
    """
    check_choice("base", base, BASES)
    if base == "posterior_sample" and not isinstance(m.autoencoder, Probabilistic):
        raise SettingError(f"base=posterior_sample needs a posterior, and {type(m.autoencoder).__name__} has none")
    available = num_drawn(m.dataset)
    if base != "prior" and available < 2:
        raise SettingError(f"base={base} takes values from other images, and {m.dataset.name} has {available}")
    if base == "prior" and net > 1:
        return _net_blocks(m, net)
    if base == "prior":
        return _prior_blocks(m)
    return _data_blocks(m, sample=base == "posterior_sample")


def block_sizes(m: Measurement, base: str) -> tuple[int, int]:
    """Return the least and the largest number of draws in one of `blocks`."""
    if base == "prior":
        return BLOCK, BLOCK
    available = num_drawn(m.dataset)
    number = math.ceil(available / BLOCK)
    return available // number, math.ceil(available / number)


def enumerated(drawn: Iterator[Block], enumeration: Enumeration | None) -> Iterator[Block]:
    """Yield these blocks with all values of quantised latents in place of v; without an enumeration, as they were.

    As values they have z and the root mean square of the step v - z.
    """

    def points(block: Block) -> Draws:
        z_ND = block.draws().z_ND
        assert enumeration
        return Draws(z_ND, z_ND + enumeration.step(z_ND))

    if enumeration is None:
        return drawn
    return (Block(block.size, functools.partial(points, block), enumeration) for block in drawn)


def net_size(num_samples: int) -> int:
    """Return the draws of a net: a power of two of at most 32, so that at least 32 nets give a fair error.

    1, for independent draws, below `LEAST_QUASI`: nets of 2 or 4 points spread wider than independent ones.
    """
    return 1 if num_samples < LEAST_QUASI else min(32, 1 << ((num_samples // 32).bit_length() - 1))


def _prior_blocks(m: Measurement) -> Iterator[Block]:
    like = m.device_and_dtype
    while True:
        noise = _normal(2, BLOCK, m.num_latents, generator=m.generator)
        z_ND, values_ND = of_prior(m, to_device(noise.to(like.dtype), like.device))
        yield Block(BLOCK, functools.partial(Draws, z_ND, values_ND))


def _net_blocks(m: Measurement, net: int) -> Iterator[Block]:
    like, latents = m.device_and_dtype, m.num_latents
    value_D = latents + m.units.rank_D  # rows share values, the latents of a unit do not

    def draw(seeds: list[int]) -> Draws:
        nets = torch.cat([sobol_net(net, latents + int(m.units.sizes_U.max()), seed) for seed in seeds])
        points = to_device(nets.to(like.dtype), like.device)
        return Draws(of_prior(m, points[:, :latents]), of_prior(m, points[:, value_D]))

    while True:
        seeds = torch.randint(2**62, (BLOCK // net,), generator=m.generator).tolist()
        yield Block(BLOCK, functools.partial(draw, seeds))


def sobol_net(count: int, dimensions: int, seed: int) -> Tensor:
    """Return a scrambled Sobol net as standard normal numbers, float64 (count, dimensions).

    Each point is a normal draw, and together they fill space more evenly than independent ones (Owen 1997).
    """
    engine = torch.quasirandom.SobolEngine(dimensions, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    cells: Tensor = engine.draw(count, dtype=torch.float64)
    normal: Tensor = torch.special.ndtri(cells + 2.0**-31)  # middles of cells 2^-30 wide, of which one begins at 0
    return normal


def _data_blocks(m: Measurement, *, sample: bool) -> Iterator[Block]:
    def encode(indices: Tensor, noise_ND: Tensor | None, partners_ND: Tensor) -> Draws:
        if noise_ND is None:
            z_ND = encode_images(m.autoencoder, m.dataset, indices, batch_size=m.batch_size)
        else:
            mean_ND, std_ND = posterior_of_images(m.autoencoder, m.dataset, indices, batch_size=m.batch_size)
            z_ND = mean_ND + std_ND * to_device(noise_ND.to(mean_ND.dtype), mean_ND.device)
        return Draws(z_ND, z_ND.gather(0, to_device(partners_ND, z_ND.device)), partners_ND)

    while True:
        order = image_order(m.dataset, m.generator)
        for indices in torch.tensor_split(order, math.ceil(len(order) / BLOCK)):  # even parts: none is a single image
            noise_ND = _normal(len(indices), m.num_latents, generator=m.generator) if sample else None
            partners_ND = cyclic_partners(len(indices), len(m.units), generator=m.generator)[:, m.units.unit_D]
            yield Block(len(indices), functools.partial(encode, indices, noise_ND, partners_ND))


def _normal(*shape: int, generator: torch.Generator) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def cyclic_partners(count: int, latents: int, *, generator: torch.Generator) -> Tensor:
    """Return for each latent a derangement of `count` rows: int64 (count, latents), row i to i + shift, never i itself.

    Every latent has its own shift, uniform over 1 to count - 1.
    """
    assert count >= 2, count
    shifts_D = torch.randint(1, count, (latents,), generator=generator)
    return (torch.arange(count)[:, None] + shifts_D) % count

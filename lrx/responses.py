"""Latent responses and interventions: h(z) = encode(decode(z)), do(z_j := v), and the draws of z and v.

Source: Leeb et al. 2022 (arXiv 2106.16091), section 3. N samples, D latents, B observations of a batch.
Random numbers come from a CPU generator, in double precision and in blocks of a fixed size, and are then brought to
the model's device and dtype: so neither the batch size, nor the device, nor when sampling stops changes a draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lrx.codes import encode_images, evaluating, image_order, num_drawn, num_latents, placement, posterior_of_images
from lrx.types import Autoencoder, Dataset, Probabilistic

BASES = ("prior", "posterior", "posterior_sample")
INFORMATIVE = 0.5  # a latent is informative above this response to itself, on the scale `none` (Leeb et al. 2022)
BLOCK = 128  # draws that share one cyclic shift; also the unit in which `draws` yields


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


def draws(
    autoencoder: Autoencoder, dataset: Dataset, *, base: str, generator: torch.Generator, batch_size: int
) -> Iterator[Draws]:
    """Endless blocks of at most `BLOCK` draws; the first n draws are the same however far one reads on.

    base: `prior`, z and v standard normal; `posterior`, z the encoder's mean of an image; `posterior_sample`, z drawn
    from the posterior of an image. From data, v is latent j of another image of the block (`cyclic_partners`); images
    come in random order, each once before any comes again.
    ValueError for another base, a model without posterior, or a data set with fewer than 2 images.
    """
    if base not in BASES:
        raise ValueError(f"assay.base must be one of {', '.join(BASES)}, not {base!r}")
    if base == "posterior_sample" and not isinstance(autoencoder, Probabilistic):
        raise ValueError(f"assay.base=posterior_sample needs a posterior, and {type(autoencoder).__name__} has none")
    available = num_drawn(dataset)
    if base != "prior" and available < 2:
        raise ValueError(f"assay.base={base} takes values from other images, and {dataset.name} has {available}")
    if base == "prior":
        return _prior_draws(autoencoder, num_latents(autoencoder, dataset), generator)
    return _data_draws(autoencoder, dataset, base == "posterior_sample", generator, batch_size)


def _prior_draws(autoencoder: Autoencoder, latents: int, generator: torch.Generator) -> Iterator[Draws]:
    home = placement(autoencoder)
    while True:
        z_ND, values_ND = _normal(2, BLOCK, latents, generator=generator).to(home.dtype).to(home.device)
        yield Draws(z_ND, values_ND)


def _data_draws(
    autoencoder: Autoencoder, dataset: Dataset, sample: bool, generator: torch.Generator, batch_size: int
) -> Iterator[Draws]:
    while True:
        order = image_order(dataset, generator)
        for indices in torch.tensor_split(order, math.ceil(len(order) / BLOCK)):  # even parts: none is a single image
            if not sample:
                z_ND = encode_images(autoencoder, dataset, indices, batch_size=batch_size)
            else:
                mean_ND, std_ND = posterior_of_images(autoencoder, dataset, indices, batch_size=batch_size)
                noise_ND = _normal(*mean_ND.shape, generator=generator).to(mean_ND.dtype).to(mean_ND.device)
                z_ND = mean_ND + std_ND * noise_ND
            partners_ND = cyclic_partners(*z_ND.shape, generator=generator)
            yield Draws(z_ND, z_ND.gather(0, partners_ND.to(z_ND.device)), partners_ND)


def _normal(*shape: int, generator: torch.Generator) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def cyclic_partners(count: int, latents: int, *, generator: torch.Generator) -> Tensor:
    """For each latent a derangement of `count` rows: int64 (count, latents), row i to i + shift, never i itself.

    Every latent has its own shift, uniform over 1 to count - 1.
    """
    assert count >= 2, count
    shifts_D = torch.randint(1, count, (latents,), generator=generator)
    return (torch.arange(count)[:, None] + shifts_D) % count

"""Codes of images: encoding by index, in batches, without changing the model; and a cache of codes.

N images, D latents, B observations of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lrx.core.devices import to_device
from lrx.core.flat_codes import check_latent_shape
from lrx.core.foreign_code import is_foreign
from lrx.core.kl import kl_from_standard
from lrx.core.progress import tell
from lrx.core.types import Autoencoder, Dataset, Probabilistic, Quantized, Sampled, as_float
from lrx.responses.finite import why_not_finite

ACTIVATION_BYTES = 384 * 2**20


def image_order(dataset: Dataset, generator: torch.Generator) -> Tensor:
    """Return the images to draw from, int64 (N,), in random order: all, or the `sample` of a data set that has one."""
    order, sample = torch.randperm(num_drawn(dataset), generator=generator), _sample(dataset)
    return order if sample is None else sample[order]


def num_drawn(dataset: Dataset) -> int:
    """Return the number of images that `image_order` gives."""
    sample = _sample(dataset)
    return len(dataset) if sample is None else len(sample)


def _sample(dataset: Dataset) -> Tensor | None:
    return dataset.sample if isinstance(dataset, Sampled) else None


def encode_images(autoencoder: Autoencoder, dataset: Dataset, indices: Tensor, *, batch_size: int) -> Tensor:
    """Return the encoder's means (N, D) of the images with these indices int64 (N,), on the model's device."""
    if isinstance(autoencoder, CachedEncoder):
        return autoencoder.means(dataset, indices, batch_size=batch_size)
    with eval_mode(autoencoder):
        codes = [autoencoder.encode(x) for x in _batches(autoencoder, dataset, indices, batch_size)]
    return torch.cat(codes).clone()


def posterior_of_images(
    autoencoder: Autoencoder, dataset: Dataset, indices: Tensor, *, batch_size: int
) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of the posterior, each (N, D), of images by their indices int64 (N,).

    ValueError where one is not a number, or a deviation is negative.
    """
    assert isinstance(autoencoder, Probabilistic)
    with eval_mode(autoencoder):
        pairs = [autoencoder.posterior(x) for x in _batches(autoencoder, dataset, indices, batch_size)]
    mean_ND, std_ND = torch.cat([mean for mean, _ in pairs]).clone(), torch.cat([std for _, std in pairs]).clone()
    check_deviations(std_ND)
    if mean_ND.isnan().any() or std_ND.isnan().any():
        raise ValueError(f"the posteriors of the model are not numbers: {why_not_finite(autoencoder)}")
    return mean_ND, std_ND


def check_deviations(std_ND: Tensor) -> None:
    """Check that no standard deviation (N, D) of a posterior is negative; ValueError says what it probably is."""
    if (std_ND < 0).any():
        raise ValueError(
            f"posterior gives deviations from {float(std_ND.min()):.3g} to {float(std_ND.max()):.3g}; negative "
            "ones are probably log-variances, whose deviation is (log_variance / 2).exp()"
        )


def kl_from_prior(mean_ND: Tensor, std_ND: Tensor) -> Tensor:
    """Return the KL divergence of the posteriors N(mean, std^2) from the standard normal, in nats (N, D).

    It is infinite where a deviation is 0. ValueError where it is not a number, as where mean or deviation overflow.
    """
    check_deviations(std_ND)
    kl_ND = kl_from_standard(mean_ND, 2 * std_ND.log())
    if kl_ND.isnan().any():
        raise ValueError("the posteriors of the model are not numbers, or too large for a KL divergence")
    return kl_ND


def _batches(autoencoder: Autoencoder, dataset: Dataset, indices: Tensor, batch_size: int) -> Iterator[Tensor]:
    for part in torch.split(indices, batch_size):
        yield observations(autoencoder, dataset, part)
        tell(len(part))


def observations(autoencoder: Autoencoder, dataset: Dataset, indices: Tensor) -> Tensor:
    """Return observations (B, *shape) by their indices int64 (B,), in the model's dtype and on its device.

    Data sets keep the channels of images last, as lrx's networks take them; a model of another class is given plain
    memory, which `x.view(len(x), -1)` needs.
    """
    home = device_and_dtype_of(autoencoder)
    raw = to_device(dataset.raw(indices), home.device)  # as bytes where the data set has pixels, a quarter of floats
    x_B = as_float(raw).to(home)
    model = autoencoder.autoencoder if isinstance(autoencoder, CachedEncoder) else autoencoder
    # a clone: with one channel, either order is contiguous to torch
    return x_B.clone(memory_format=torch.contiguous_format) if is_foreign(model) else x_B


def num_latents(autoencoder: Autoencoder, dataset: Dataset) -> int:
    """Return the number of latents D, of codes with a shape that of their elements; see `latent_shape`."""
    return math.prod(latent_shape(autoencoder, dataset))


def about_codes(autoencoder: Autoencoder, dataset: Dataset) -> dict[str, int | str]:
    """Return what a result says of its codes: `num_latents` D, and `latent_shape` where it is no (D,)."""
    shape = latent_shape(autoencoder, dataset)
    stated = {"latent_shape": " x ".join(map(str, shape))} if len(shape) > 1 else {}
    return {"num_latents": math.prod(shape), **stated}


def latent_shape(autoencoder: Autoencoder, dataset: Dataset) -> tuple[int, ...]:
    """Return the shape of a code, (D,) or (C, h, w), from encoding the first image: no attribute is needed.

    ValueError for a data set without images, or codes of another shape.
    """
    if len(dataset) < 1:
        raise ValueError(f"{dataset.name} has no images")
    z_B = encode_images(autoencoder, dataset, torch.zeros(1, dtype=torch.int64), batch_size=1)
    shape = tuple(z_B.shape[1:])
    check_latent_shape(shape)
    return shape


def device_and_dtype_of(autoencoder: Autoencoder) -> Tensor:
    """Return an empty tensor on the device and in the dtype of the parameters (else buffers, else CPU float32)."""
    if isinstance(autoencoder, nn.Module):
        for tensor in (*autoencoder.parameters(), *autoencoder.buffers()):
            if tensor.is_floating_point():
                return torch.empty(0, dtype=tensor.dtype, device=tensor.device)
    return torch.empty(0, dtype=torch.float32)


@contextmanager
def eval_mode(autoencoder: Autoencoder) -> Iterator[None]:
    """Enter inference mode, with every module in evaluation mode; restore each training flag afterwards."""
    modules = list(autoencoder.modules()) if isinstance(autoencoder, nn.Module) else []
    flags = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        with torch.inference_mode():
            yield
    finally:
        for module, flag in zip(modules, flags, strict=True):
            module.training = flag


def fitting_batch_size(observation_shape: tuple[int, ...]) -> int:
    """Return the largest power of two, up to 1024, whose activations fit `ACTIVATION_BYTES`: 128 for images of 64 x 64.

    Counts 3 live maps of 64 channels in float32 at full resolution, as in conv5: 3 MiB per image of 64 x 64. On a CPU,
    smaller batches leave cores idle in the small maps and larger ones only fill memory.
    """
    places = math.prod(observation_shape[-2:])
    most = ACTIVATION_BYTES // (3 * 64 * 4 * places)
    return min(1024, 1 << max(0, most.bit_length() - 1))


class CachedEncoder(nn.Module):
    """Autoencoder that encodes each image of one data set once, for all assays of a run.

    encode, decode, posterior and latent_values are those of the wrapped model; only `encode_images` looks codes up.
    Assays that draw the same images (a permutation from the same seed) share their codes. Memory: D floats an image of
    the data set.
    """

    def __init__(self, autoencoder: nn.Module, dataset: Dataset) -> None:
        super().__init__()
        self.autoencoder, self._dataset = autoencoder, dataset
        assert isinstance(autoencoder, Autoencoder)
        self.encode, self.decode = autoencoder.encode, autoencoder.decode
        if isinstance(autoencoder, Probabilistic):
            self.posterior = autoencoder.posterior
        if isinstance(autoencoder, Quantized):
            self.latent_values = autoencoder.latent_values
        self._is_encoded = torch.zeros(len(dataset), dtype=torch.bool)
        self._codes = torch.empty(0)

    def means(self, dataset: Dataset, indices: Tensor, *, batch_size: int) -> Tensor:
        """Return the encoder's means (N, D) of the images with these indices int64 (N,), on the model's device."""
        assert isinstance(self.autoencoder, Autoencoder)
        if dataset is not self._dataset:
            return encode_images(self.autoencoder, dataset, indices, batch_size=batch_size)
        new = torch.unique(indices[~self._is_encoded[indices]])
        if len(new):
            codes = encode_images(self.autoencoder, dataset, new, batch_size=batch_size)
            if not self._codes.numel():
                self._codes = torch.empty(len(dataset), codes.shape[1], dtype=codes.dtype, device=codes.device)
            self._codes[to_device(new, self._codes.device)] = codes
            self._is_encoded[new] = True
        return self._codes[to_device(indices, self._codes.device)]

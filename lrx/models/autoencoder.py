"""Common part of every objective: encoder and decoder of a network, decoding, and the reconstruction error."""

from __future__ import annotations

from typing import ClassVar, NotRequired, TypedDict, Unpack

from torch import Tensor, nn

from lrx.core.validation import check_positive, is_whole
from lrx.models.losses.reconstruction import reconstruction_error, resolve_reconstruction, to_observation
from lrx.models.network import NetworkFactory


class AutoencoderSettings(TypedDict):
    """Settings of every objective; an objective with settings of its own takes these as keywords beside them.

    reconstruction: `bernoulli`, `gaussian` or `auto`, see `resolve_reconstruction`. variance: of the Gaussian.
    dataset_size: number of images that training draws from, for objectives whose estimators need it.
    """

    network: NetworkFactory
    observation_shape: tuple[int, ...]
    latent_dim: int
    reconstruction: str
    variance: float
    dataset_size: NotRequired[int]


class NetworkAutoencoder(nn.Module):
    """Autoencoder whose attributes `encoder` and `decoder` have the names of published state dicts.

    An objective sets `heads` (1 for a deterministic code, 2 for mean and spread) and `mean_over_images` (True if its
    loss is a mean over images, so that processes can share a batch), and adds `encode` and `loss`.
    `reconstruction` is the resolved kind, `bernoulli` or `gaussian`.
    """

    heads: ClassVar[int]
    mean_over_images: ClassVar[bool]

    def __init__(self, **settings: Unpack[AutoencoderSettings]) -> None:
        super().__init__()
        unknown = set(settings) - set(AutoencoderSettings.__annotations__)
        if unknown:
            raise TypeError(f"{type(self).__name__} has no setting {', '.join(sorted(unknown))}")
        shape, latent_dim = settings["observation_shape"], settings["latent_dim"]
        self.observation_shape, self.latent_dim = shape, latent_dim
        if not is_whole(latent_dim, 1):  # a key of the command, not of the model
            raise ValueError(f"latent_dim must be a whole number of at least 1, not {latent_dim!r}")
        self.reconstruction = resolve_reconstruction(settings["reconstruction"], shape)
        self.variance = settings["variance"]
        check_positive("variance", self.variance)
        parts = settings["network"](observation_shape=shape, latent_dim=latent_dim, heads=self.heads)
        self.encoder, self.decoder, self._split = parts.encoder, parts.decoder, parts.split

    def decode(self, z: Tensor) -> Tensor:
        """Decode latents (B, D) to observations (B, *observation_shape): pixels in [0, 1], or vectors."""
        return to_observation(self.decoder(z))

    def reconstruction_error(self, z: Tensor, x: Tensor) -> Tensor:
        """Return the error of decode(z) against x, summed over pixels and averaged over the batch, as a scalar."""
        return reconstruction_error(self.decoder(z), x, kind=self.reconstruction, variance=self.variance)

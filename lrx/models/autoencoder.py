"""An encoder and a decoder from a network file, joined to what every objective shares: decoding and its error."""

from __future__ import annotations

from typing import ClassVar, NotRequired, TypedDict, Unpack

from torch import Tensor, nn

from lrx.models.losses.reconstruction import check_reconstruction, reconstruction_error, to_observation
from lrx.models.network import NetworkFactory


class AutoencoderSettings(TypedDict):
    """What every objective is built from; an objective with settings of its own takes these as keywords beside them.

    dataset_size: the number of images that training draws from, for objectives whose estimators need it.
    """

    network: NetworkFactory
    observation_shape: tuple[int, ...]
    latent_dim: int
    reconstruction: str
    variance: float
    dataset_size: NotRequired[int]


class NetworkAutoencoder(nn.Module):
    """Holds `encoder` and `decoder` under these names, so that published state dicts load as they are.

    An objective says how many `heads` its encoder has (1 for a deterministic code, 2 for mean and spread), whether its
    loss is a `mean_over_images` (so that processes can share a batch), and adds `encode` and `loss`.
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
        self.reconstruction, self.variance = settings["reconstruction"], settings["variance"]
        if isinstance(latent_dim, bool) or not isinstance(latent_dim, int) or latent_dim < 1:
            raise ValueError(f"latent_dim must be a whole number of at least 1, not {latent_dim!r}")
        check_reconstruction(self.reconstruction, self.variance, shape)
        parts = settings["network"](observation_shape=shape, latent_dim=latent_dim, heads=self.heads)
        self.encoder, self.decoder, self._split = parts.encoder, parts.decoder, parts.split

    def decode(self, z: Tensor) -> Tensor:
        """Latents (B, D) to observations (B, *observation_shape): pixels in [0, 1], or vectors."""
        return to_observation(self.decoder(z))

    def reconstruction_error(self, z: Tensor, x: Tensor) -> Tensor:
        """The scalar error of decode(z) against x, summed over pixels, averaged over the batch."""
        return reconstruction_error(self.decoder(z), x, kind=self.reconstruction, variance=self.variance)

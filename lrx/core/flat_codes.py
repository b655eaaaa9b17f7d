"""Autoencoder whose codes have a shape, seen as one of flat codes: (B, C, h, w) as (B, D) with D = C h w, row by row.

Every estimator works on flat codes; `lrx.responses.units` says which elements are set together.
"""

from __future__ import annotations

import math
import operator

from torch import Tensor, nn

from lrx.core.types import Autoencoder, Probabilistic

AXES = ("channel", "y", "x")  # of codes with a shape


def with_flat_codes(autoencoder: Autoencoder, latent_shape: tuple[int, ...]) -> Autoencoder:
    """Return an autoencoder whose codes are (B, D); one whose codes are (B, D) already is returned as it is."""
    if len(latent_shape) == 1:
        return autoencoder
    kind = FlatProbabilistic if isinstance(autoencoder, Probabilistic) else FlatCodes
    return kind(autoencoder, latent_shape)


def check_latent_shape(latent_shape: tuple[int, ...]) -> None:
    """Check the shape of one code: (D,) or (C, h, w). ValueError says what came instead."""
    if len(latent_shape) not in (1, len(AXES)) or 0 in latent_shape:
        shape = ", ".join(map(str, ("batch", *latent_shape)))
        raise ValueError(
            f"encode gives codes ({shape}); (batch, latents) or (batch, channels, height, width) is needed"
        )


class FlatCodes(nn.Module):
    """Autoencoder with codes of a shape behind the contract of flat codes; made by `with_flat_codes`."""

    def __init__(self, model: Autoencoder, latent_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.model, self.latent_shape, self.latent_dim = model, latent_shape, math.prod(latent_shape)

    def encode(self, x: Tensor) -> Tensor:
        """Observations (B, *observation_shape) to codes (B, D)."""
        return self.model.encode(x).flatten(1)

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, D) to observations (B, *observation_shape)."""
        return self.model.decode(z.reshape(-1, *self.latent_shape))


class FlatProbabilistic(FlatCodes):
    """Flat codes of a model whose encoder gives a diagonal Gaussian, `lrx.core.types.Probabilistic`."""

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Observations (B, *observation_shape) to mean and standard deviation, each (B, D)."""
        mean, std = operator.attrgetter("posterior")(self.model)(x)
        return mean.flatten(1), std.flatten(1)

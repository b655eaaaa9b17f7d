"""Units of codes: those in which another model sees them, (z - mean) / std of the codes z of an autoencoder.

Diffusion models see the codes of their autoencoders so. B observations, D latents, C channels, h x w places.
"""

from __future__ import annotations

import math
import operator

from torch import Tensor, nn

from lrx.core.adapt import Scale, as_numbers
from lrx.core.foreign_code import unwrapped
from lrx.core.types import Autoencoder, Probabilistic
from lrx.core.validation import SettingError


def rescale(
    model: Autoencoder, *, latent_mean: Scale = 0.0, latent_std: Scale = 1.0, latent_norm: str | None = None
) -> Autoencoder:
    """Wrap an autoencoder so that its codes are (z - latent_mean) / latent_std.

    latent_mean, latent_std: a number, or one a latent, a channel, or a channel and place of patches of p x p: C p p
        numbers, in the order (channel, y, x).
    latent_norm: name of a part of the model with `running_mean`, `running_var` and `eps`, such as a batch
        normalisation, whose numbers are taken instead, when they are needed.
    SettingError for other values, and for a part that the model does not have.
    """
    mean = as_numbers("latent_mean", latent_mean, positive=False)
    std = as_numbers("latent_std", latent_std, positive=True)
    if latent_norm is not None and (latent_mean, latent_std) != (0.0, 1.0):
        raise SettingError("latent_norm has a mean and a deviation; give it, or latent_mean and latent_std")
    norm = RunningStatistics(mean, std) if latent_norm is None else _statistics(model, latent_norm)
    if callable(getattr(model, "latent_values", None)):
        raise SettingError("latent_mean and latent_std are for continuous latents, and the model's have latent_values")
    kind = RescaledProbabilistic if isinstance(model, Probabilistic) else Rescaled
    return kind(model, norm)


class RunningStatistics(nn.Module):
    """Mean and variance by the names that a batch normalisation has."""

    eps = 0.0
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("running_mean", mean, persistent=False)
        self.register_buffer("running_var", std.double().square(), persistent=False)


class Rescaled(nn.Module):
    """Autoencoder with codes in other units; made by `rescale`."""

    def __init__(self, model: Autoencoder, norm: nn.Module) -> None:
        super().__init__()
        self.model, self.norm = model, norm

    def encode(self, x: Tensor) -> Tensor:
        """Observations (B, *observation_shape) to codes (B, *latent_shape)."""
        z = self.model.encode(x)
        mean, std = self._scale(z)
        return (z - mean) / std

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, *latent_shape) to observations (B, *observation_shape)."""
        mean, std = self._scale(z)
        return self.model.decode(z * std + mean)

    def _scale(self, z: Tensor) -> tuple[Tensor, Tensor]:
        running_mean, running_var, eps = operator.attrgetter("running_mean", "running_var", "eps")(self.norm)
        return _spread("latent_mean", running_mean, z), _spread("latent_std", (running_var + eps).sqrt(), z)


class RescaledProbabilistic(Rescaled):
    """Rescaled autoencoder whose encoder gives a diagonal Gaussian, `lrx.core.types.Probabilistic`."""

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Observations (B, *observation_shape) to mean and standard deviation, each (B, *latent_shape)."""
        z_mean, z_std = operator.attrgetter("posterior")(self.model)(x)
        mean, std = self._scale(z_mean)
        return (z_mean - mean) / std, z_std / std


def _spread(name: str, values: Tensor, z: Tensor) -> Tensor:
    """Return numbers that broadcast over codes (B, D) or (B, C, h, w). ValueError for too many or too few."""
    values, channels, places = values.to(z.dtype), z.shape[1], z.shape[2:]
    side = math.isqrt(len(values) // channels) if places else 1
    if len(values) == 1:
        return values
    if side < 1 or len(values) != channels * side**2:
        kind = "channels" if places else "latents"
        raise ValueError(f"{name} has {len(values)} numbers, and codes have {channels} {kind}")
    if not places:
        return values
    tiles = [-(-size // side) for size in places]
    return values.view(channels, side, side).repeat(1, *tiles)[:, : places[0], : places[1]]


def _statistics(model: Autoencoder, name: str) -> nn.Module:
    """Return the part of this name of the model that adapters wrap. SettingError where it has none with statistics."""
    inner = unwrapped(model)
    try:
        norm = operator.attrgetter(name)(inner)
    except AttributeError:
        norm = None
    if not isinstance(norm, nn.Module) or not isinstance(getattr(norm, "running_var", None), Tensor):
        raise SettingError(f"latent_norm={name!r} of {type(inner).__name__} has no running_mean and running_var")
    return norm

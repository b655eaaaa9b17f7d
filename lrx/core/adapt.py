"""Adapter for models whose methods have other names, return more than a tensor, or use other ranges of pixels.

B observations, D latents.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from lrx.core.types import Autoencoder
from lrx.core.validation import SettingError, check_choice

OUTPUTS = ("pixels", "logits", "tanh")
Part = str | Callable[[Tensor], object]


def adapt(
    model: nn.Module,
    *,
    encode: Part = "encode",
    decode: Part = "decode",
    take: int | str | None = None,
    output: str = "pixels",
    input_mean: float | Sequence[float] = 0.0,
    input_std: float | Sequence[float] = 1.0,
) -> Autoencoder:
    """Wrap a model so that it can be assayed: encode gives means (B, D), decode gives pixels in [0, 1].

    encode, decode: the name of an attribute of the model (`encoder`, `net.encode`), or a function.
    take: which part of what the encoder returns is the mean: a place in a tuple, a key of a mapping, or an attribute.
        None takes a tensor as it is, the first of a tuple such as (mean, log_var), the `mean` of a distribution, and
        the `latent_dist` of diffusers' outputs.
    output: what the decoder gives: `pixels` in [0, 1], `logits` (a sigmoid follows), or `tanh`, in [-1, 1].
    input_mean, input_std: the encoder is given (x - mean) / std of pixels x in [0, 1]; numbers, or one a channel. A
        model of images in [-1, 1] takes 0.5 and 0.5.
    SettingError for a name that the model does not have.

    >>> net = nn.Module()
    >>> net.encoder, net.decoder = nn.Linear(4, 2), nn.Linear(2, 4)
    >>> adapt(net, encode="encoder", decode="decoder", output="logits").decode(torch.zeros(1, 2)).shape
    torch.Size([1, 4])
    """
    check_choice("output", output, OUTPUTS)
    parts = _part(model, encode, "encode"), _part(model, decode, "decode")
    return Adapted(model, *parts, take=take, output=output, scale=(input_mean, input_std))


class Adapted(nn.Module):
    """Model behind the contract of `lrx.core.types.Autoencoder`; made by `adapt`."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        model: nn.Module,
        encode: Callable[[Tensor], object],
        decode: Callable[[Tensor], object],
        *,
        take: int | str | None,
        output: str,
        scale: tuple[float | Sequence[float], float | Sequence[float]],
    ) -> None:
        super().__init__()
        self.model = model
        self._encode, self._decode, self._take, self._output = encode, decode, take, output
        for name, value in zip(("mean", "std"), scale, strict=True):
            tensor = torch.as_tensor(value, dtype=torch.float32)
            self.register_buffer(name, tensor if tensor.ndim == 0 else tensor[:, None, None], persistent=False)

    def encode(self, x: Tensor) -> Tensor:
        """Observations (B, *observation_shape) to the posterior mean (B, D)."""
        return as_codes(self._encode((x - self.mean.to(x.dtype)) / self.std.to(x.dtype)), self._take)

    def decode(self, z: Tensor) -> Tensor:
        """Latents (B, D) to pixels in [0, 1]."""
        x = as_codes(self._decode(z), None)
        return x.sigmoid() if self._output == "logits" else (x + 1) / 2 if self._output == "tanh" else x


def as_codes(value: object, take: int | str | None) -> Tensor:
    """Return the tensor of what an encoder gave: see `adapt`. TypeError says what came instead."""
    if take is not None:
        indexed = isinstance(take, int) or hasattr(value, "keys")
        value = operator.getitem(value, take) if indexed else getattr(value, str(take))  # type: ignore[call-overload]
    elif isinstance(value, tuple | list) and value:
        value = value[0]
    elif hasattr(value, "latent_dist"):
        value = value.latent_dist
    elif hasattr(value, "sample") and isinstance(value.sample, Tensor):
        value = value.sample
    mean = getattr(value, "mean", None)  # of a distribution
    if not isinstance(value, Tensor) and isinstance(mean, Tensor):
        value = mean
    if not isinstance(value, Tensor):
        raise TypeError(f"the model gives {type(value).__name__}, not a tensor; name the part to take, as in take=0")
    return value


def _part(model: nn.Module, part: Part, name: str) -> Callable[[Tensor], object]:
    if not isinstance(part, str):
        return part
    try:
        function = operator.attrgetter(part)(model)
    except AttributeError as error:
        children = ", ".join(child for child, _ in model.named_children()) or "none"
        raise SettingError(
            f"{name}={part!r}: {type(model).__name__} has no such attribute; its parts are {children}"
        ) from error
    if not callable(function):
        raise SettingError(
            f"{name}={part!r} of {type(model).__name__} is {type(function).__name__}, which cannot be called"
        )
    called: Callable[[Tensor], object] = function
    return called

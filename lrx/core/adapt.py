"""Adapter for models whose methods have other names, return more than a tensor, or use other ranges of pixels.

`lrx.adapt` in python, the keys `autoencoder.encode`, `autoencoder.take`, ... and `output`, `input_mean`, `input_std` of
`lrx import` share it. B observations, D latents.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from lrx.core.text import join_names
from lrx.core.types import Autoencoder
from lrx.core.validation import SettingError, check_choice

Part = str | Callable[[Tensor], object]
Scale = float | Sequence[float]

# From what a decoder gives, the mean and the standard deviation of the input's normalisation, to observations.
OUTPUTS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "pixels": lambda x, mean, std: x,
    "logits": lambda x, mean, std: x.sigmoid(),
    "tanh": lambda x, mean, std: (x + 1) / 2,
    "normalised": lambda x, mean, std: mean + std * x,
}
# Activation behind the last layer of a decoder, and what the decoder gives without it.
ACTIVATIONS = {"sigmoid": "logits", "identity": "normalised", "tanh": "tanh"}


def adapt(
    model: nn.Module,
    *,
    encode: Part = "encode",
    decode: Part = "decode",
    take: int | str | None = None,
    output: str = "pixels",
    input_mean: Scale = 0.0,
    input_std: Scale = 1.0,
    clamp: bool = False,
) -> Autoencoder:
    """Wrap a model so that it can be assayed: encode gives means (B, D), decode gives observations.

    encode, decode: the name of an attribute of the model (`encoder`, `net.encode`, `forward`), or a function.
    take: which part of what the encoder returns is the mean: a place in a tuple, a key of a mapping, or an attribute.
        None takes a tensor as it is, the first of a tuple such as (mean, log_var), the mean (or else the mode) of a
        distribution, and the `latent_dist` of diffusers' outputs.
    output: what the decoder gives: `pixels` in [0, 1], `logits` (a sigmoid follows), `tanh`, in [-1, 1], or
        `normalised`, in the units of the encoder's input.
    input_mean, input_std: the encoder is given (x - mean) / std of pixels x in [0, 1]; numbers, or one a channel. A
        model of images in [-1, 1] takes 0.5 and 0.5.
    clamp: whether observations are cut to [0, 1] after that, so that what is encoded again is what an image file holds.
    A model with `encode` and `posterior` keeps its posterior, given the same input; one with `latent_values` those.
    SettingError for a name that the model does not have, and for other values.

    >>> net = nn.Module()
    >>> net.encoder, net.decoder = nn.Linear(4, 2), nn.Linear(2, 4)
    >>> adapt(net, encode="encoder", decode="decoder", output="logits").decode(torch.zeros(1, 2)).shape
    torch.Size([1, 4])
    """
    check_choice("output", output, tuple(OUTPUTS))
    if not isinstance(clamp, bool):
        raise SettingError(f"clamp must be true or false, not {clamp!r}")
    scale = as_numbers("input_mean", input_mean, positive=False), as_numbers("input_std", input_std, positive=True)
    parts = _part(model, encode, "encode"), _part(model, decode, "decode")
    has_posterior = encode == "encode" and take is None and callable(getattr(model, "posterior", None))
    kind = AdaptedProbabilistic if has_posterior else Adapted
    return kind(model, *parts, take=take, output=output, scale=scale, clamp=clamp)


def adapt_network(model: nn.Module, activation: str, input_mean: Scale, input_std: Scale) -> Autoencoder:
    """Wrap a network with encode and a module `decoder` whose last activation and normalisation are these.

    activation: `sigmoid`; `identity`, in the units of the encoder's input; or `tanh`, for pixels from -1 to 1.
    SettingError as for `adapt`.
    """
    check_choice("output", activation, tuple(ACTIVATIONS))
    decoder = operator.attrgetter("decoder")(model)
    decode = nn.Sequential(decoder, nn.Tanh()) if activation == "tanh" else decoder
    return adapt(model, decode=decode, output=ACTIVATIONS[activation], input_mean=input_mean, input_std=input_std)


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
        scale: tuple[Tensor, Tensor],
        clamp: bool,
    ) -> None:
        super().__init__()
        self.model = model
        self._encode, self._decode, self._take = encode, decode, take
        self._output, self._clamp = output, clamp
        if callable(getattr(model, "latent_values", None)):  # see lrx.core.types.Quantized
            self.latent_values = model.latent_values
        for name, value in zip(("mean", "std"), scale, strict=True):
            self.register_buffer(name, value, persistent=False)

    def encode(self, x: Tensor) -> Tensor:
        """Observations (B, *observation_shape) to the posterior mean (B, D)."""
        return as_codes(self._encode(self._normalised(x)), self._take)

    def decode(self, z: Tensor) -> Tensor:
        """Latents (B, D) to observations: pixels in [0, 1] where `output` is what the decoder gives."""
        x = as_codes(self._decode(z), None)
        x = OUTPUTS[self._output](x, *self._scale(x))
        return x.clamp(0, 1) if self._clamp else x

    def _normalised(self, x: Tensor) -> Tensor:
        mean, std = self._scale(x)
        return (x - mean) / std

    def _scale(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation that broadcast over observations. ValueError for too many or too few."""
        for name, value in (("input_mean", self.mean), ("input_std", self.std)):
            if len(value) not in (1, x.shape[1]):
                kind = "channels" if x.ndim == 4 else "numbers"
                raise ValueError(f"{name} has {len(value)} numbers, and observations have {x.shape[1]} {kind}")
        shape = (-1, *(1 for _ in x.shape[2:]))
        return self.mean.to(x.dtype).view(shape), self.std.to(x.dtype).view(shape)


class AdaptedProbabilistic(Adapted):
    """Adapted model whose encoder gives a diagonal Gaussian, `lrx.core.types.Probabilistic`."""

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Observations (B, *observation_shape) to mean and standard deviation, each (B, D)."""
        mean, std = operator.attrgetter("posterior")(self.model)(self._normalised(x))
        return mean, std


def as_codes(value: object, take: int | str | None) -> Tensor:
    """Return the tensor of what an encoder or a decoder gave: see `adapt`. TypeError says what came instead."""
    if take is not None:
        value = _taken(value, take)
    elif isinstance(value, tuple | list) and value:
        value = value[0]
    elif isinstance(value, Mapping) and len(value) == 1:
        (value,) = value.values()
    elif hasattr(value, "latent_dist"):
        value = value.latent_dist
    elif hasattr(value, "sample") and isinstance(value.sample, Tensor):
        value = value.sample
    tensor = value if isinstance(value, Tensor) else _center(value)
    if not isinstance(tensor, Tensor):
        raise TypeError(f"the model gives {describe(value)}, not a tensor; name the part to take, as in take=0")
    return tensor


def describe(value: object) -> str:
    """Write what a model gave: type and shape of a tensor, parts of a tuple or a mapping.

    >>> describe((torch.zeros(2, 3), None))
    'a tuple of float32 (2, 3), NoneType'
    """
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {', '.join(map(describe, value[:4])) or 'nothing'}"
    if isinstance(value, Mapping):
        return f"a {type(value).__name__} of {', '.join(map(str, list(value)[:6])) or 'nothing'}"
    return type(value).__name__


def describe_parts(model: nn.Module) -> str:
    """Write what a model has that could encode or decode: the methods of its own package, then its modules."""
    package = type(model).__module__.partition(".")[0]
    kinds = [kind for kind in type(model).__mro__ if kind.__module__.partition(".")[0] == package != "torch"]
    methods = [name for kind in kinds for name, part in vars(kind).items() if callable(part) and name[0] != "_"]
    return join_names([*dict.fromkeys(methods), *(name for name, _ in model.named_children())], most=12) or "none"


def likely_parts(model: nn.Module) -> dict[str, str | int]:
    """Return keywords of `adapt` that bring in a model of usual names, for a person to change.

    A method that is named after encoding comes first; of a forward of its own, (reconstruction, mean, log_var) is what
    most give. Modules are found at any depth, the outermost first.
    """
    own = [kind for kind in type(model).__mro__ if not kind.__module__.startswith("torch.") and kind is not object]
    methods = [name for kind in own for name, part in vars(kind).items() if callable(part) and name[0] != "_"]
    modules = sorted((name for name, _ in model.named_modules() if name), key=lambda name: name.count("."))
    encoding = [name for name in methods if name.startswith("enc")]
    decoding = [name for name in (*methods, *modules) if name.rpartition(".")[2].startswith(("dec", "gen"))]
    first: dict[str, str | int] = {"encode": encoding[0]} if encoding else {"encode": "encoder"}
    if not encoding and "forward" in methods:
        first = {"encode": "forward", "take": 1}
    return {**first, "decode": [*decoding, "decoder"][0]}


def _center(value: object) -> object:
    """Return the mean of a distribution, or else its mode, which diffusers has as a method and torch as a property."""
    mean = getattr(value, "mean", None)
    if isinstance(mean, Tensor):
        return mean
    mode = getattr(value, "mode", None)
    return mode() if callable(mode) and not isinstance(mode, Tensor) else mode


def _taken(value: object, take: int | str) -> object:
    try:
        if isinstance(take, int) or hasattr(value, "keys"):
            return operator.getitem(value, take)  # type: ignore[call-overload]
        return operator.attrgetter(take)(value)
    except (LookupError, AttributeError, TypeError) as error:
        raise TypeError(f"the model gives {describe(value)}, of which take={take!r} is no part") from error


def as_numbers(name: str, value: object, *, positive: bool) -> Tensor:
    """Return a number, or one for each channel, as a tensor (1,) or (C,). SettingError for others."""
    try:
        tensor = torch.as_tensor(value, dtype=torch.float32).flatten()
    except (TypeError, ValueError, RuntimeError):  # text, or nested lists
        tensor = torch.empty(0)
    if not len(tensor) or not tensor.isfinite().all() or (positive and bool((tensor <= 0).any())):
        kind = "positive number" if positive else "number"
        raise SettingError(f"{name} must be a {kind}, or a list with one a channel, not {value!r}")
    return tensor


def _part(model: nn.Module, part: Part, name: str) -> Callable[[Tensor], object]:
    if not isinstance(part, str):
        return part
    try:
        function = operator.attrgetter(part)(model)
    except AttributeError as error:
        raise SettingError(
            f"{name}={part!r}: {type(model).__name__} has no such attribute; its parts are {describe_parts(model)}"
        ) from error
    if not callable(function):
        raise SettingError(
            f"{name}={part!r} of {type(model).__name__} is {type(function).__name__}, which cannot be called"
        )
    called: Callable[[Tensor], object] = function
    return called

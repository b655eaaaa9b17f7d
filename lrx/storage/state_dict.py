"""State dicts of published models: their names matched to those of a model, loaded after a check of every key."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from lrx.core.text import join_names

# Parts of a tensor's name that come from what a network was wrapped in: a module, DataParallel, torch.compile.
WRAPPING = ("model", "module", "_orig_mod")


def match_names(weights: Mapping[str, Tensor], own: Iterable[str]) -> dict[str, Tensor]:
    """Give tensors the model's own names where these differ in parts of WRAPPING, at any depth, or a shared prefix.

    The other tensors keep their names. ValueError when two would have one name.
    """
    names: dict[str, str | None] = {}
    for name in own:
        plain = strip_wrapping(name)
        names[plain] = None if plain in names else name  # None: two of the model's own names differ in nothing else
    prefix = _shared_prefix([strip_wrapping(key) for key in weights], names)
    matched: dict[str, Tensor] = {}
    exact = set(own)
    for key, value in weights.items():
        new = key if key in exact else names.get(strip_wrapping(key).removeprefix(prefix)) or key
        if new in matched:
            raise ValueError(f"two of its tensors become {new}")
        matched[new] = value
    return matched


def strip_wrapping(key: str) -> str:
    """Remove the parts of a name that wrappers such as DataParallel, torch.compile and Lightning modules add.

    >>> strip_wrapping("model._orig_mod.encoder._orig_mod.0.weight")
    'encoder.0.weight'
    """
    return ".".join(part for part in key.split(".") if part not in WRAPPING)


def _shared_prefix(keys: Sequence[str], names: Iterable[str]) -> str:
    """Return what all keys have before the model's own names."""
    first = next(iter(names), "")
    for key in keys:
        prefix = key.removesuffix(first)
        if prefix != key and prefix.endswith(".") and all(other.startswith(prefix) for other in keys):
            return prefix
    return ""


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], source: Path) -> None:
    """Load a state dict that fits the model in every key. ValueError as of `check_weights`."""
    check_weights(model.state_dict(), weights, source)
    model.load_state_dict(dict(weights))


def check_weights(own: Mapping[str, Tensor], weights: Mapping[str, Tensor], source: Path) -> None:
    """Check that the tensors of a file fit those of a model, or of a part of it.

    ValueError lists the keys that are missing, unexpected, not finite, of another shape, or of another kind (such as
    whole numbers for floating-point ones).
    """
    missing = [key for key in own if key not in weights]
    unexpected = [key for key in weights if key not in own]
    shapes = [
        f"{key} {tuple(weights[key].shape)} (the model has {tuple(own[key].shape)})"
        for key in own
        if key in weights and weights[key].shape != own[key].shape
    ]
    kinds = [
        f"{key} {'meta' if value.is_meta else value.layout} {value.dtype} (the model has {own[key].dtype})"
        for key, value in weights.items()
        if key in own and not _is_plain(value, like=own[key])
    ]
    problems = {"missing": missing, "unexpected": unexpected, "wrong shape": shapes, "wrong kind": kinds}
    faults = [f"{what}: {join_names(keys)}" for what, keys in problems.items() if keys]
    if faults:
        raise ValueError(f"{source} does not fit the model; {'; '.join(faults)}")
    broken = [key for key, value in weights.items() if not torch.isfinite(value.float()).all()]
    if broken:
        raise ValueError(f"{source} holds weights that are not finite numbers: {join_names(broken)}")


def conversions(loaded: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> list[str]:
    """Return a line for each type of number in a file that is not the type under the model's own names."""
    pairs = Counter((value.dtype, own[name].dtype) for name, value in loaded.items() if value.dtype != own[name].dtype)
    return [
        f"converted {count:,} tensors of {str(before).removeprefix('torch.')} to {str(now).removeprefix('torch.')}, in "
        "which the model computes"
        for (before, now), count in pairs.items()
    ]


def _is_plain(value: Tensor, *, like: Tensor) -> bool:
    """Return whether a tensor is dense, in memory, and floating-point or whole like another one."""
    plain = value.layout == torch.strided and not value.is_meta
    return plain and value.is_floating_point() == like.is_floating_point() and not value.is_complex()


def fingerprint(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names, dtypes, shapes and values of a state dict, whatever its order and device."""
    digest = hashlib.sha256()
    for key, value in sorted(weights.items()):
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()

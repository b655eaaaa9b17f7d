"""State dicts of published models: read without running their code, and loaded after a check of every key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from lrx.core.paths import why_no_file
from lrx.core.text import join_names
from lrx.storage.tensors import UNREADABLE, read_tensors

# Keys under which training scripts of this field keep the state dict in a larger file.
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "module")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a .safetensors file, or of a .pt file with a state dict at its top or under one of WRAPPERS.

    FileNotFoundError if there is no such file; ValueError if it holds anything but tensors under text keys.
    """
    if not path.is_file():
        raise FileNotFoundError(f"weights={path}: {why_no_file(path)}")
    try:
        if path.suffix == ".safetensors":
            return dict(safetensors.torch.load_file(path))
        with path.open("rb") as file:
            content = read_tensors(file)
    except (*UNREADABLE, safetensors.SafetensorError) as error:
        raise ValueError(
            f"weights={path} is no state dict that loads safely (it is cut, or holds more than tensors)"
        ) from error
    for key in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content:
        raise ValueError(f"weights={path} holds {type(content).__name__}, not a state dict")
    foreign = [str(key) for key, value in content.items() if not (isinstance(key, str) and isinstance(value, Tensor))]
    if foreign:
        raise ValueError(f"weights={path} is no state dict: no names, or no tensors under {join_names(foreign)}")
    return dict(content)


def strip_prefix(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Remove the prefix (`module.`, `model.`, ...) that all keys have before the model's own names, if there is one."""
    first = next(iter(own))
    for key in weights:
        prefix = key.removesuffix(first)
        if prefix and prefix != key and all(name.startswith(prefix) for name in weights):
            return {name.removeprefix(prefix): value for name, value in weights.items()}
    return dict(weights)


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], source: Path) -> None:
    """Load a state dict that fits the model in every key.

    ValueError lists the keys that are missing, unexpected, not finite, of another shape, or of another kind (such as
    whole numbers for floating-point ones).
    """
    own = model.state_dict()
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
    model.load_state_dict(dict(weights))


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

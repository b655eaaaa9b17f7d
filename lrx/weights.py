"""State dicts that others published: read without running their code, and fitted to a model's key names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from lrx.training.checkpoint import UNREADABLE, read_tensors
from lrx.wording import listed

# Where training scripts of this field put the state dict inside a larger file.
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "module")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or of a .pt file that holds a state dict, alone or under a usual key.

    FileNotFoundError if there is no such file; ValueError if it holds anything but tensors under text keys.
    """
    if not path.is_file():
        raise FileNotFoundError(f"weights={path}: no such file")
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
        raise ValueError(f"weights={path} is no state dict: no names, or no tensors under {listed(foreign)}")
    return dict(content)


def without_prefix(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights whose keys all carry one prefix before the model's own names (`module.`, `model.`, ...), without it."""
    first = next(iter(own))
    for key in weights:
        prefix = key.removesuffix(first)
        if prefix and prefix != key and all(name.startswith(prefix) for name in weights):
            return {name.removeprefix(prefix): value for name, value in weights.items()}
    return dict(weights)

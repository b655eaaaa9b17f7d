"""Where tensors live: a device by the name a person gives."""

from __future__ import annotations

import torch


def choose_device(name: str, key: str) -> torch.device:
    """`auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:1`; ValueError names the key and what there is."""
    available = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if name == "auto":
        return torch.device("cuda" if len(available) > 1 else "cpu")
    if name not in available and not (name == "cuda" and len(available) > 1):
        raise ValueError(f"{key} must be one of auto, {', '.join(available)} on this machine, not {name!r}")
    return torch.device(name)

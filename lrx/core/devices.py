"""Where tensors live, how they get there, and how exact a device is."""

from __future__ import annotations

import os

import torch
from torch import Tensor


def choose_device(name: str, key: str) -> torch.device:
    """`auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:1`; ValueError names the key and what there is."""
    available = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if name == "auto":
        return torch.device("cuda" if len(available) > 1 else "cpu")
    if name not in available and not (name == "cuda" and len(available) > 1):
        raise ValueError(f"{key} must be one of auto, {', '.join(available)} on this machine, not {name!r}")
    return torch.device(name)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A CPU tensor on a device; nothing waits for a copy to CUDA, which comes in order with what follows there."""
    if device.type == "cuda":  # whose copies wait for the whole queue unless they come from pinned memory
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def configure_backends(device: torch.device, *, tf32: bool, repeatable: bool) -> None:
    """How this process computes from now on.

    tf32: whether CUDA rounds the factors of float32 products to 10 bits, which cuDNN does unless it is told not to.
    repeatable: whether CUDA takes kernels that give the same bits each time, slower ones where need be; where torch
    has none, it warns. CPU kernels do so anyway.
    Source: torch's notes on CUDA semantics and on reproducibility.
    """
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS starts
        torch.backends.cudnn.deterministic = repeatable
        torch.use_deterministic_algorithms(repeatable, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs a write

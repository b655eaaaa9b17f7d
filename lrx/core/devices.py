"""Choice of a device, copies to it, and the precision of its arithmetic."""

from __future__ import annotations

import os

import torch
from torch import Tensor


def choose_device(name: str, key: str) -> torch.device:
    """Return the device of a name: `auto` (CUDA if available), `cpu`, `cuda` or `cuda:1`.

    ValueError for a device that this machine lacks; it names `key` and the choices.
    """
    available = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if name == "auto":
        return torch.device("cuda" if len(available) > 1 else "cpu")
    if name not in available and not (name == "cuda" and len(available) > 1):
        raise ValueError(f"{key} must be one of auto, {', '.join(available)} on this machine, not {name!r}")
    return torch.device(name)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a CPU tensor to a device. Nothing waits for a copy to CUDA, which is done before what follows there."""
    if device.type == "cuda":  # copies from unpinned memory wait for the whole queue
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def configure_backends(device: torch.device, *, tf32: bool, repeatable: bool) -> None:
    """Set TF32 and deterministic mode for this process.

    tf32: CUDA rounds the factors of float32 products to 10 bits, which is cuDNN's default.
    repeatable: CUDA takes kernels that give the same bits each time, if need be slower ones; where torch has none, it
    warns. CPU kernels always do.
    Source: torch's notes on CUDA semantics and on reproducibility.
    """
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS starts
        torch.backends.cudnn.deterministic = repeatable
        torch.use_deterministic_algorithms(repeatable, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs a write

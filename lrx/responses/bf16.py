"""Passes in bfloat16: an autoencoder whose layers run under autocast, for means over many draws.

torch's bf16 kernels for the CPU are slower than its float32 ones in three layers that networks of images have; the
forms here take a quarter to four fifths less time, with the same rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lrx.core.types import Autoencoder

PLAIN = {"padding": 0, "dilation": 1, "return_indices": False}
FEW = 1024  # positions of a map up to which torch's bf16 GroupNorm is slower than float32 with both conversions


class InBf16(nn.Module):
    """Autoencoder whose encode and decode run under bf16 autocast, which leaves float64 as it is."""

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def encode(self, x: Tensor) -> Tensor:
        """Encode, see Autoencoder; codes are float32, or float64 of a model in float64."""
        with torch.autocast(x.device.type, torch.bfloat16), QuickKernels():
            code = self.autoencoder.encode(x)
        return code.float() if code.dtype == torch.bfloat16 else code

    def decode(self, z: Tensor) -> Tensor:
        """Decode, see Autoencoder; observations have the dtype of the last layer under autocast."""
        with torch.autocast(z.device.type, torch.bfloat16), QuickKernels():
            return self.autoencoder.decode(z)


class QuickKernels(TorchFunctionMode):
    """Mode in which elu, max_pool2d and group_norm of bf16 tensors on a CPU take the faster forms below.

    Where gradients are recorded, torch's own stay, which have backward passes.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        quick = QUICK.get(func)
        if quick and not torch.is_grad_enabled() and args[0].dtype == torch.bfloat16 and args[0].device.type == "cpu":
            return quick(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def elu(x: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return exp(x) - 1 below zero: expm1 takes most of the time, and bf16 does not keep its digits."""
    if alpha != 1:
        return F.elu(x, alpha, inplace)
    below = torch.exp(x).clamp_max_(1).sub_(1)
    return x.clamp_min_(below) if inplace else below.clamp_min_(x)


def max_pool2d(x: Tensor, kernel_size: Any, stride: Any = None, **rest: Any) -> Tensor:
    """Take maxima of columns, then of rows, where a channels_last image (B, C, H, W) is halved."""
    plain = all(rest.get(name, usual) in (usual, (usual, usual)) for name, usual in PLAIN.items())
    halving = all(size in (2, (2, 2)) for size in (kernel_size, stride or kernel_size))
    even = x.ndim == 4 and x.shape[2] % 2 == x.shape[3] % 2 == 0
    # asked of the permuted image, as vmap knows no channels_last
    if not (plain and halving and even and x.permute(0, 2, 3, 1).is_contiguous()):
        pooled: Tensor = F.max_pool2d(x, kernel_size, stride, **rest)
        return pooled
    batch, channels, height, width = x.shape
    columns = x.permute(0, 2, 3, 1).view(batch, height, width // 2, 2, channels)
    rows = torch.maximum(columns[:, :, :, 0], columns[:, :, :, 1]).view(batch, height // 2, 2, width // 2, channels)
    return torch.maximum(rows[:, :, 0], rows[:, :, 1]).permute(0, 3, 1, 2)


def group_norm(
    x: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Normalize small maps (B, C, H, W) in float32."""
    halves = any(part is not None and part.dtype != torch.float32 for part in (weight, bias))
    if halves or x.shape[2:].numel() >= FEW:  # torch takes no half weights with a float32 input
        return F.group_norm(x, num_groups, weight, bias, eps)
    return F.group_norm(x.float(), num_groups, weight, bias, eps).to(x.dtype)


QUICK: dict[Any, Callable[..., Tensor]] = {
    F.elu: elu,
    F.max_pool2d: max_pool2d,
    F.group_norm: group_norm,
}

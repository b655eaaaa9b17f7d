"""Last layer of a decoder: bilinear doubling and a 3x3 convolution to a few channels, without the doubled map.

Both are linear, so together they are one 3x3 convolution of the small map: the four output pixels of a 2 x 2 block
depend on the same 3 x 3 pixels, each through its own kernel (a sub-pixel convolution, Shi et al. 2016, arXiv
1609.05158). It takes a third of the time on a CPU. C channels in, K channels out, B images; P even and odd pixels of a
doubled pair, T taps of the kernel, N neighbours.

Also used on CUDA (not benchmarked there): avoids the 4x larger intermediate, and the gather that deterministic
upsampling does.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# weight of neighbour n in the doubled pixel under tap t of the kernel, for the even and the odd pixel p
BILINEAR_PTN = (
    ((0.75, 0.25, 0.0), (0.25, 0.75, 0.0), (0.0, 0.75, 0.25)),
    ((0.25, 0.75, 0.0), (0.0, 0.75, 0.25), (0.0, 0.25, 0.75)),
)


class UpsampleConv(nn.Module):
    """Layer of bilinear doubling and a 3x3 convolution: (B, C, H, W) to (B, K, 2H, 2W)."""

    bilinear_PTN: Tensor

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, outputs, 3, padding=1)
        # A buffer moves with the model; a tensor made in forward would be copied to CUDA, and waited for, in each
        # pass. Not persistent: the keys of the state dict are those of published weights.
        self.register_buffer("bilinear_PTN", torch.tensor(BILINEAR_PTN), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, K, 2H, 2W)."""
        assert self.conv.bias is not None
        return upsample_conv(x, self.conv.weight, self.conv.bias, self.bilinear_PTN)


def upsample_conv(x_BCHW: Tensor, weight_KCTT: Tensor, bias_K: Tensor, bilinear_PTN: Tensor) -> Tensor:
    """Compute conv2d(interpolate(x, scale_factor=2, mode="bilinear"), weight, bias, padding=1), equal to rounding.

    Returns (B, K, 2H, 2W). bilinear: BILINEAR_PTN as a tensor (2, 3, 3) of the dtype and on the device of the weights.
    Gradients and forward-mode derivatives are those of the two operations.
    """
    kernels = sub_pixel_kernels(weight_KCTT, bilinear_PTN)
    bias = bias_K.repeat_interleave(4)
    with _no_autocast(x_BCHW.device.type):  # autocast would pad in float32
        padded = F.pad(x_BCHW, (1, 1, 1, 1), mode="replicate")
    out = F.pixel_shuffle(F.conv2d(padded, kernels, bias), 2)
    # The kernels saw the doubled map continued beyond its border by its last line; subtract that, to pad with zeros.
    top, bottom = (_upsample(x_BCHW[:, :, row : row + 1], (1, 2)) for row in (0, x_BCHW.shape[2] - 1))
    left, right = (_upsample(x_BCHW[..., column : column + 1], (2, 1)) for column in (0, x_BCHW.shape[3] - 1))
    corners = (1, 1, 0, 0)
    out[:, :, :1] -= F.conv2d(F.pad(top, corners, mode="replicate"), weight_KCTT[:, :, :1])
    out[:, :, -1:] -= F.conv2d(F.pad(bottom, corners, mode="replicate"), weight_KCTT[:, :, 2:])
    out[..., :1] -= F.conv2d(left, weight_KCTT[..., :1], padding=(1, 0))
    out[..., -1:] -= F.conv2d(right, weight_KCTT[..., 2:], padding=(1, 0))
    return out


def sub_pixel_kernels(weight_KCTT: Tensor, bilinear_PTN: Tensor) -> Tensor:
    """Return kernels (4K, C, 3, 3) whose shuffled outputs are those of weights (K, C, 3, 3) on the doubled map.

    Sums, not matrix products, which autocast would round to bfloat16.
    """
    rows_KCPNT = (weight_KCTT[:, :, None, :, None, :] * bilinear_PTN[:, :, :, None]).sum(3)
    kernels_KCPNPN = (rows_KCPNT[..., None, :, None] * bilinear_PTN).sum(-2)
    return kernels_KCPNPN.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)


def _no_autocast(device: str) -> AbstractContextManager[object]:
    # the meta device has no autocast
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()


def _upsample(x: Tensor, scale: tuple[int, int]) -> Tensor:
    return F.interpolate(x, scale_factor=tuple(map(float, scale)), mode="bilinear", align_corners=False)

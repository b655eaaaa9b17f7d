"""The last layer of a decoder: bilinear doubling, then a 3x3 convolution to a few channels, without the large map.

Both are linear, so that together they are one 3x3 convolution of the small map: each output pixel of a 2 x 2 block sees
the same 3 x 3 pixels, through a kernel of its own (a sub-pixel convolution, Shi et al. 2016, arXiv 1609.05158). It
takes a third of the time on a CPU. C channels in, K channels out, B images.

CUDA takes the same form, by reckoning: a map four times as large is neither written, nor read, nor kept for the
gradient. Repeatable kernels gain most, with which torch doubles by gathering the large map four times.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# what tap t of a kernel sees of three neighbours n, from the even and from the odd pixel p of a doubled pair
BILINEAR_PTN = (
    ((0.75, 0.25, 0.0), (0.25, 0.75, 0.0), (0.0, 0.75, 0.25)),
    ((0.25, 0.75, 0.0), (0.0, 0.75, 0.25), (0.0, 0.25, 0.75)),
)


class UpsampleConv(nn.Module):
    """Bilinear doubling and a 3x3 convolution: (B, C, H, W) to (B, K, 2H, 2W)."""

    doubled_PTN: Tensor

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, outputs, 3, padding=1)
        # A buffer, as it then goes with the model: a constant of Python's would be copied to CUDA in each pass, and
        # waited for. It is no part of the state, whose keys are those of published weights.
        self.register_buffer("doubled_PTN", torch.tensor(BILINEAR_PTN), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, K, 2H, 2W)."""
        assert self.conv.bias is not None
        return upsample_conv(x, self.conv.weight, self.conv.bias, self.doubled_PTN)


def upsample_conv(x_BCHW: Tensor, weight_KCTT: Tensor, bias_K: Tensor, doubled_PTN: Tensor) -> Tensor:
    """conv2d(interpolate(x, scale_factor=2, mode="bilinear"), weight, bias, padding=1), (B, K, 2H, 2W), to rounding.

    weight: (K, C, 3, 3). doubled: DOUBLED_PTN as a tensor (2, 3, 3) beside the weights, of their dtype. Gradients and
    forward-mode derivatives are those of the two operations.
    """
    kernels = sub_pixel_kernels(weight_KCTT, doubled_PTN)
    bias = bias_K.repeat_interleave(4)
    with _no_autocast(x_BCHW.device.type):  # which would pad in float32, for no digit more
        wide = F.pad(x_BCHW, (1, 1, 1, 1), mode="replicate")
    out = F.pixel_shuffle(F.conv2d(wide, kernels, bias), 2)
    # The doubled map went on beyond its border as it ended there; a convolution that pads with zeros sees nothing.
    top, bottom = (_doubled(x_BCHW[:, :, row : row + 1], (1, 2)) for row in (0, x_BCHW.shape[2] - 1))
    left, right = (_doubled(x_BCHW[..., column : column + 1], (2, 1)) for column in (0, x_BCHW.shape[3] - 1))
    corners = (1, 1, 0, 0)
    out[:, :, :1] -= F.conv2d(F.pad(top, corners, mode="replicate"), weight_KCTT[:, :, :1])
    out[:, :, -1:] -= F.conv2d(F.pad(bottom, corners, mode="replicate"), weight_KCTT[:, :, 2:])
    out[..., :1] -= F.conv2d(left, weight_KCTT[..., :1], padding=(1, 0))
    out[..., -1:] -= F.conv2d(right, weight_KCTT[..., 2:], padding=(1, 0))
    return out


def sub_pixel_kernels(weight_KCTT: Tensor, doubled_PTN: Tensor) -> Tensor:
    """Kernels (4K, C, 3, 3) whose outputs, shuffled, are those of the weights (K, C, 3, 3) on the doubled map.

    By sums, not products of matrices, which autocast would round.
    """
    rows_KCPNT = (weight_KCTT[:, :, None, :, None, :] * doubled_PTN[:, :, :, None]).sum(3)
    both_KCPNQM = (rows_KCPNT[..., None, :, None] * doubled_PTN).sum(-2)
    return both_KCPNQM.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)


def _no_autocast(device: str) -> AbstractContextManager[object]:
    # torch's meta device, where shapes and operations are counted, has no autocast to turn off
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()


def _doubled(x: Tensor, scale: tuple[int, int]) -> Tensor:
    return F.interpolate(x, scale_factor=tuple(map(float, scale)), mode="bilinear", align_corners=False)

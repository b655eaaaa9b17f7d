"""Principal components of pixels: projections whose distances are those of pixels. N images, P pixels, K components."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PixelComponents:
    """Projection on principal components: mean (P,), basis (P, K) of orthonormal columns, leading first."""

    mean_P: Tensor
    basis_PK: Tensor

    def features(self, x: Tensor) -> Tensor:
        """Project observations (N, *observation_shape) to (N, K), float64 on the CPU."""
        centred_NP = x.flatten(1).to(self.mean_P) - self.mean_P
        return (centred_NP @ self.basis_PK).double().cpu()


def pixel_components(x: Tensor, *, components: int) -> PixelComponents:
    """Compute the leading principal components of images (N, *observation_shape), at most `components`.

    ValueError when all images are equal. Memory: twice the images, and N x N numbers.
    """
    x_NP = x.flatten(1)
    mean_P = x_NP.mean(0)
    centred_NP = x_NP - mean_P
    squares_N, vectors_NN = torch.linalg.eigh((centred_NP @ centred_NP.T).double())
    rank = int((squares_N > len(x_NP) * torch.finfo(x_NP.dtype).eps * squares_N[-1].clamp(min=0)).sum())
    if rank == 0 or squares_N[-1] <= 0:
        raise ValueError("images that are all equal have no principal components")
    leading_NK = vectors_NN.flip(1)[:, : min(components, rank)]
    basis_PK = torch.linalg.qr(centred_NP.T @ leading_NK.to(x_NP)).Q  # orthonormal to rounding, as a division is not
    return PixelComponents(mean_P, basis_PK)

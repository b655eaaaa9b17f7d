"""The double helix: a toy of points in space with two known labels, height and strand.

    x = (cos a, sin a, h) + noise,    a = pi (h + s),    height h uniform in [-1, 1], strand s in {0, 1}

Leeb, Bauer, Besserve and Schölkopf, "Exploring the Latent Space of Autoencoders with Interventional Assays", NeurIPS
2022, the toy experiment: the strands wind once around the axis, half a turn apart.
"""

from __future__ import annotations

import hashlib
from math import inf, pi

import numpy as np
import torch
from torch import Tensor


class Points:
    """A Dataset of plain vectors held in memory, with labels by name.

    vectors: float32 (N, P), in their own units.
    labels: one array (N,) a name.
    """

    def __init__(self, *, name: str, source: str, vectors: Tensor, labels: dict[str, np.ndarray]) -> None:
        """Fingerprint the vectors."""
        self.name = name
        self.source = source
        self.fingerprint = hashlib.sha256(vectors.numpy().tobytes()).hexdigest()
        self.observation_shape: tuple[int, ...] = tuple(vectors.shape[1:])
        self.labels = labels
        self._vectors = vectors

    def __len__(self) -> int:
        """The number of points."""
        return len(self._vectors)

    def raw(self, indices: Tensor) -> Tensor:
        """Indices int64 (B,) to float32 (B, P), on the CPU; IndexError outside 0 .. len - 1."""
        if indices.numel() and (indices.min() < 0 or indices.max() >= len(self)):
            raise IndexError(f"indices of {self.name} run from 0 to {len(self) - 1}, not to {int(indices.max())}")
        return self._vectors[indices.cpu()]

    def images(self, indices: Tensor) -> Tensor:
        """Indices int64 (B,) to float32 (B, P), as they are."""
        return self.raw(indices)


def double_helix(*, num_points: int, noise: float, seed: int) -> Points:
    """Points float32 (num_points, 3) with the labels `height` (float32) and `strand` (int64), the same for a seed.

    noise: standard deviation of the Gaussian noise on each coordinate; the radius and the half height are 1.
    ValueError for fewer points than 1 or a negative noise.
    """
    whole = isinstance(num_points, int) and not isinstance(num_points, bool)
    if not whole or num_points < 1:
        raise ValueError(f"dataset.num_points must be a whole number of at least 1, not {num_points!r}")
    if isinstance(noise, bool) or not isinstance(noise, int | float) or not 0 <= noise < inf:
        raise ValueError(f"dataset.noise must be a number of at least 0, not {noise!r}")
    generator = torch.Generator().manual_seed(seed)
    height = torch.rand(num_points, generator=generator) * 2 - 1
    strand = torch.randint(2, (num_points,), generator=generator)
    angle = pi * (height + strand)
    clean = torch.stack([torch.cos(angle), torch.sin(angle), height], dim=1)
    return Points(
        name="double helix",
        source=f"drawn from seed {seed}",
        vectors=clean + noise * torch.randn(num_points, 3, generator=generator),
        labels={"height": height.numpy(), "strand": strand.numpy()},
    )

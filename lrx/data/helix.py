"""Double helix: a toy of points in space on two strands, whose strand is known.

    x = (cos a, sin a, h) + noise,    a = pi (h + s),    height h uniform in [-1, 1], strand s in {0, 1}

Leeb, Bauer, Besserve and Schölkopf, "Exploring the Latent Space of Autoencoders with Interventional Assays", NeurIPS
2022, the toy experiment: the strands wind once around the axis, half a turn apart.
"""

from __future__ import annotations

from math import pi

import torch

from lrx.core.checksum import sha256
from lrx.core.validation import check_number, check_whole
from lrx.data.labelled import LabelledDataset


def double_helix(*, num_points: int, noise: float, seed: int) -> LabelledDataset:
    """Return points float32 (num_points, 3) with the label `strand` (0 or 1), the same for the same seed.

    The height is continuous, and so no label: it is the third coordinate, up to the noise.
    noise: standard deviation of the Gaussian noise on each coordinate; the radius and the half height are 1.
    SettingError for fewer points than 1 or a negative noise.
    """
    check_whole("num_points", num_points, 1)
    check_number("noise", noise, 0)
    generator = torch.Generator().manual_seed(seed)
    height = torch.rand(num_points, generator=generator) * 2 - 1
    strand = torch.randint(2, (num_points,), generator=generator)
    angle = pi * (height + strand)
    clean = torch.stack([torch.cos(angle), torch.sin(angle), height], dim=1)
    points = (clean + noise * torch.randn(num_points, 3, generator=generator)).numpy()
    return LabelledDataset(
        name="double helix",
        source=f"drawn from seed {seed}",
        fingerprint=sha256(points.tobytes()),
        pixels=points,
        label_names=("strand",),
        label_sizes=(2,),
        classes=strand[:, None].numpy(),
    )

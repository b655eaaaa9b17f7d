"""Small data set, and settings with which assays take little time: for the pages that list arrays, and for tests."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor, nn

from lrx.assays import catalog
from lrx.core.factors import FactorSpace
from lrx.core.settings import Checked
from lrx.core.types import Dataset
from lrx.data.grid import GridDataset
from lrx.data.in_memory import as_dataset
from lrx.models.sparse_autoencoder import SparseAutoencoder

SMALL: dict[str, object] = {  # settings that only cost time
    "num_samples": 32,
    "num_points": 8,
    "num_images": 16,
    "trips": 3,
    "num_groups": 4,
    "max_pairs": 2,
    "num_bootstrap": 4,
    "num_replicates": 4,
    "num_pairs": 2,
    "num_nodes": 8,
    "num_posterior": 8,
    "probe_steps": 2,
    "resolution": 8,
    "decoded": 2,
    "repeats": 2,
    "num_test": 16,
    "shown": 1,
    "steps": 3,
    "labels": [20],
    "preset": "fast",
    "num_vectors": 32,
    "target_se": None,
    "cache": None,
}


def small(name: str) -> Checked:
    """Return settings of an assay that take little time."""
    settings = catalog.settings_of(name)
    names = [entry.name for entry in dataclasses.fields(settings) if entry.name in SMALL]
    return settings(**{key: SMALL[key] for key in names})


def toy() -> GridDataset:
    """Return 64 images of a square, over row, column and shade."""
    factors = FactorSpace(names=("row", "column", "shade"), sizes=(4, 4, 4))
    images = np.zeros((64, 1, 8, 8), dtype=np.uint8)
    for image, (row, column, shade) in zip(images, factors.classes(torch.arange(64)).tolist(), strict=True):
        image[0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = 60 * (shade + 1)
    return GridDataset(name="toy", source="made", fingerprint="toy", factors=factors, pixels=images)


class ToyMaps(nn.Module):
    """Untrained autoencoder with codes (2, 4, 4) of the toy images, for assays that need codes (channel, y, x)."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(1, 2, 4, stride=2, padding=1), nn.ConvTranspose2d(2, 1, 4, stride=2, padding=1)

    def encode(self, x: Tensor) -> Tensor:
        """Images (B, 1, H, W) to codes (B, 2, H / 2, W / 2)."""
        return torch.as_tensor(self.down(x))

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, 2, h, w) to images (B, 1, 2 h, 2 w)."""
        return torch.sigmoid(self.up(z))


def sparse_toy() -> tuple[SparseAutoencoder, Dataset]:
    """Return a sparse code of 6 features, one of them twice, and 64 vectors, for the assays that measure one."""
    generator = torch.Generator().manual_seed(0)
    model = SparseAutoencoder(observation_shape=(8,), latent_dim=6, k=None, normalisation="none", dtype="float32")
    decoder = torch.randn(6, 8, generator=generator)
    decoder[5] = decoder[0]
    weights = {"encoder_PD": decoder.T / decoder.square().sum(1), "decoder_DP": decoder, "scale_D": torch.ones(6)}
    model.load_state_dict({**model.state_dict(), **weights})
    return model, as_dataset(torch.rand(64, 6, generator=generator) @ decoder, name="toy vectors")

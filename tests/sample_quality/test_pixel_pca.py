"""Principal components of pixels against a singular value decomposition."""

from __future__ import annotations

import pytest
import torch

from lrx.sample_quality.feature_spaces import feature_scale
from lrx.sample_quality.pixel_pca import pixel_components


def test_components_equal_svd() -> None:
    x = torch.randn(30, 2, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x[:, 0] *= 3
    found = pixel_components(x, components=5)
    centred = x.flatten(1) - x.flatten(1).mean(0)
    u, s, _ = torch.linalg.svd(centred, full_matrices=False)
    assert torch.allclose(found.features(x).abs(), (u[:, :5] * s[:5]).abs(), atol=1e-9)
    assert torch.allclose(found.basis_PK.T @ found.basis_PK, torch.eye(5).double(), atol=1e-12)
    assert feature_scale(found.features(x)) == pytest.approx(float((s[:5] ** 2).mean() / 29) ** 0.5)


def test_number_of_components() -> None:
    line = torch.linspace(0, 1, 9)[:, None] * torch.rand(1, 5, generator=torch.Generator().manual_seed(0))
    assert pixel_components(line, components=4).basis_PK.shape == (5, 1)
    with pytest.raises(ValueError, match="all equal"):
        pixel_components(torch.ones(4, 3), components=2)

"""Double helix: its points, its label, its seed."""

from math import pi

import pytest
import torch

from lrx.core.data_identity import observations_fingerprint
from lrx.core.types import Dataset, Labelled
from lrx.data.helix import double_helix


def test_points_without_noise():
    helix = double_helix(num_points=200, noise=0.0, seed=1)
    points = helix.raw(torch.arange(200)).double()
    height, strand = points[:, 2], helix.label_classes(torch.arange(200))[:, 0].double()
    angle = pi * height + pi * strand
    assert torch.allclose(points, torch.stack([angle.cos(), angle.sin(), height], dim=1), atol=1e-6)
    assert height.min() > -1
    assert height.max() < 1
    assert set(strand.tolist()) == {0, 1}


def test_noise_standard_deviation():
    noisy, clean = (double_helix(num_points=100_000, noise=noise, seed=2) for noise in (0.1, 0.0))
    indices = torch.arange(100_000)
    assert (noisy.raw(indices) - clean.raw(indices)).std().item() == pytest.approx(0.1, rel=0.01)


def test_vectors_and_label():
    helix = double_helix(num_points=1024, noise=0.1, seed=0)
    assert isinstance(helix, Dataset)
    assert len(helix) == 1024
    assert helix.observation_shape == (3,)
    assert helix.raw(torch.tensor([5, 5, 0])).shape == (3, 3)
    assert helix.raw(torch.tensor([5])).dtype == torch.float32
    assert isinstance(helix, Labelled)
    assert (helix.label_names, helix.label_sizes) == (("strand",), (2,))
    assert helix.label_classes(torch.arange(1024)).shape == (1024, 1)


def test_fingerprint_of_points_equals_former():
    helix = double_helix(num_points=1024, noise=0.1, seed=0)
    assert helix.fingerprint != observations_fingerprint(helix)  # it covers the labels, too
    assert observations_fingerprint(helix) == "de01286c3a9ea0f43faae32cbfee6881544fac86295c5fb42d6ae8ee9cb1a50e"


def test_same_seed_same_points():
    first = double_helix(num_points=64, noise=0.1, seed=3)
    torch.manual_seed(99)
    second, other = (double_helix(num_points=64, noise=0.1, seed=seed) for seed in (3, 4))
    assert first.fingerprint == second.fingerprint != other.fingerprint
    assert torch.equal(first.raw(torch.arange(64)), second.raw(torch.arange(64)))


def test_invalid_settings_and_indices():
    with pytest.raises(ValueError, match=r"num_points .* not 0"):
        double_helix(num_points=0, noise=0.1, seed=0)
    with pytest.raises(ValueError, match=r"noise .* not -1"):
        double_helix(num_points=4, noise=-1, seed=0)
    with pytest.raises(IndexError, match="from 0 to 3"):
        double_helix(num_points=4, noise=0.1, seed=0).raw(torch.tensor([4]))

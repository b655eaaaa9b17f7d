"""The double helix: where its points lie, its labels, and that a seed fixes it."""

from math import pi

import pytest
import torch

from lrx.core.types import Dataset
from lrx.data.helix import double_helix


def test_without_noise_points_lie_on_two_strands():
    helix = double_helix(num_points=200, noise=0.0, seed=1)
    points = helix.images(torch.arange(200)).double()
    height, strand = (torch.from_numpy(helix.labels[name]).double() for name in ("height", "strand"))
    angle = pi * height + pi * strand
    assert torch.allclose(points, torch.stack([angle.cos(), angle.sin(), height], dim=1), atol=1e-6)
    assert height.min() > -1
    assert height.max() < 1
    assert set(strand.tolist()) == {0, 1}


def test_noise_has_the_given_standard_deviation():
    noisy, clean = (double_helix(num_points=100_000, noise=noise, seed=2) for noise in (0.1, 0.0))
    indices = torch.arange(100_000)
    assert (noisy.raw(indices) - clean.raw(indices)).std().item() == pytest.approx(0.1, rel=0.01)


def test_it_is_a_data_set_of_plain_vectors():
    helix = double_helix(num_points=1024, noise=0.1, seed=0)
    assert isinstance(helix, Dataset)
    assert len(helix) == 1024
    assert helix.observation_shape == (3,)
    assert helix.raw(torch.tensor([5, 5, 0])).shape == (3, 3)
    assert helix.raw(torch.tensor([5])).dtype == torch.float32
    assert helix.labels["height"].shape == helix.labels["strand"].shape == (1024,)


def test_a_seed_fixes_the_points_and_the_global_seed_does_not():
    first = double_helix(num_points=64, noise=0.1, seed=3)
    torch.manual_seed(99)
    second, other = (double_helix(num_points=64, noise=0.1, seed=seed) for seed in (3, 4))
    assert first.fingerprint == second.fingerprint != other.fingerprint
    assert torch.equal(first.raw(torch.arange(64)), second.raw(torch.arange(64)))


def test_wrong_settings_and_indices_are_named():
    with pytest.raises(ValueError, match=r"num_points .* not 0"):
        double_helix(num_points=0, noise=0.1, seed=0)
    with pytest.raises(ValueError, match=r"noise .* not -1"):
        double_helix(num_points=4, noise=-1, seed=0)
    with pytest.raises(IndexError, match="from 0 to 3"):
        double_helix(num_points=4, noise=0.1, seed=0).raw(torch.tensor([4]))

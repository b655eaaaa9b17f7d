"""Contraction: what identities, scalings, projections and constant models leave of noise on codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lrx.assays.contraction import plot
from lrx.assays.contraction.assay import Settings
from lrx.assays.plotting import drawing
from lrx.storage import results
from tests.support.assays_for_tests import assert_batches_and_shards_change_nothing, measure_with
from tests.support.maps_for_tests import Noise, scaled
from tests.support.models_for_tests import Linear, Vectors, values
from tests.support.models_for_tests import one_thread as one_thread

SETTINGS = Settings(levels=[0.1, 0.5], num_images=40, batch_size=16)
measure = measure_with(SETTINGS)


def test_identity_keeps_all_noise() -> None:
    result = measure(scaled([1.0] * 4), Noise())
    np.testing.assert_allclose(values(result, "gain"), 1, atol=1e-12)
    np.testing.assert_allclose(values(result, "to_code"), 1, atol=1e-12)
    np.testing.assert_allclose(values(result, "pull"), 0, atol=1e-12)
    np.testing.assert_allclose(values(result, "gain_on"), 1, atol=1e-12)
    assert np.isnan(values(result, "gain_off")).all()  # nothing is taken away
    np.testing.assert_allclose(values(result, "gain_by_channel"), 1, atol=1e-12)
    assert result.arrays["gain_by_channel"].axes == ("level", "channel")


@pytest.mark.parametrize("a", [0.5, -0.8, 1.25])
def test_scaling_has_its_factor(a: float) -> None:
    result = measure(Linear(a * torch.eye(3).double()), Vectors(scale=3.0))
    for name in ("gain", "gain_on", "gain_off", "gain_by_latent"):
        np.testing.assert_allclose(values(result, name), abs(a), rtol=1e-9, err_msg=name)
    assert np.nanmax(values(result, "gain_se")) < 1e-12


def test_map_onto_codes_restores_them() -> None:
    class Nearest(Linear):
        def decode(self, z: Tensor) -> Tensor:
            return 10 * (z / 10).round()

    class Far(Vectors):
        def raw(self, indices: Tensor) -> Tensor:
            return 10 * self.points[indices].round()

    result = measure(Nearest(torch.eye(3)), Far(), levels=[0.01])
    assert values(result, "gain") == 0
    assert values(result, "to_code") == 0
    assert values(result, "pull") == pytest.approx(1)
    assert np.isnan(values(result, "gain_on")).all()  # nothing is kept
    assert values(result, "gain_off") == 0


def test_projection_keeps_noise_on_codes_alone() -> None:
    direction = torch.tensor([[1.0], [2.0], [-1.0]], dtype=torch.float64)
    oblique = torch.eye(3, dtype=torch.float64) - direction @ torch.tensor([[1.0, 0.5, 1.0]]).double()
    assert torch.allclose(oblique @ oblique, oblique)
    result = measure(Linear(oblique), Vectors())
    np.testing.assert_allclose(values(result, "gain_on"), 1, rtol=1e-9)
    np.testing.assert_allclose(values(result, "gain_off"), 0, atol=1e-9)
    half = measure(scaled([1.0, 1.0, 0.0, 0.0]), Noise())
    np.testing.assert_allclose(values(half, "gain"), 0.5**0.5, atol=0.1)  # half of the noise, 16 numbers an image
    np.testing.assert_allclose(values(half, "gain_by_channel"), [[1, 1, 0, 0]] * 2, atol=1e-9)


def test_pull_and_distance_by_hand() -> None:
    data = Vectors(40)
    result = measure(Linear(torch.zeros(3, 3), shift=1.0), data, levels=[1.0], batch_size=40, draws=3)
    assert values(result, "gain") == 0
    generator = torch.Generator().manual_seed(0)
    z = data.points[torch.randperm(40, generator=generator)]
    seeds = torch.randint(2**62, (40,), generator=generator).tolist()
    e = torch.stack([torch.randn(3, 3, generator=torch.Generator().manual_seed(s), dtype=torch.float64) for s in seeds])
    n = e * data.points.std(0, correction=0)
    pull = (1 - z[:, None] - n).norm(dim=2) / n.norm(dim=2)
    to_code = (1 - z[:, None]).norm(dim=2) / n.norm(dim=2)
    for name, ratio in (("pull", pull), ("to_code", to_code)):
        of_images = ratio.mean(1)
        assert values(result, name) == pytest.approx(float(of_images.mean()))
        assert values(result, f"{name}_se") == pytest.approx(float(of_images.std()) / 40**0.5)


def test_constant_latent_gets_no_noise() -> None:
    data = Vectors(40)
    data.points[:, 1] = 7.0
    result = measure(Linear(torch.eye(3)), data)
    assert np.isnan(values(result, "gain_by_latent")[:, 1]).all()
    np.testing.assert_allclose(values(result, "gain_by_latent")[:, [0, 2]], 1)


def test_errors_agree_with_spread_over_seeds() -> None:
    class Curved(Linear):
        def decode(self, z: Tensor) -> Tensor:
            return torch.tanh(super().decode(z))

    torch.manual_seed(1)
    model, data = Curved(0.7 * torch.eye(4) + 0.3 * torch.randn(4, 4)), Vectors(dim=4)
    runs = [measure(model, data, seed, batch_size=40) for seed in range(60)]
    for name in ("gain", "pull", "to_code", "gain_on", "gain_off", "gain_by_latent"):
        spread = np.std([values(run, name) for run in runs], axis=0, ddof=1)
        error = np.mean([values(run, f"{name}_se") for run in runs], axis=0)
        assert 0.75 < np.median(error / spread) < 1.3, name
        assert (error / spread > 0.6).all(), name


def test_batches_and_shards_change_nothing() -> None:
    model, data = scaled([1.0, 0.5, 0.25, 0.9]), Noise()
    assert_batches_and_shards_change_nothing(measure, model, data)


def test_refusals_name_the_reason() -> None:
    with pytest.raises(ValueError, match="vectors has 1 image"):
        measure(Linear(torch.eye(3)), Vectors(1))
    with pytest.raises(ValueError, match="the codes of all images are the same"):
        measure(Linear(torch.eye(3)), Vectors(scale=0.0))
    for levels in ([], [0.0], [0.1, 0.1], [0.1, "a"]):
        with pytest.raises(ValueError, match="levels must be "):
            Settings(levels=levels)


def test_picture_from_file(tmp_path: Path) -> None:
    for number, result in enumerate((measure(scaled([1.0] * 4), Noise()), measure(Linear(torch.eye(3)), Vectors()))):
        path = tmp_path / f"{number}.h5"
        results.write(path, {"contraction": result}, {"model": "a.B", "dataset": "noise"})
        (picture,) = drawing.save(plot.figures, *drawing.read(path, "contraction"), tmp_path)
        assert picture.stat().st_size > 1000

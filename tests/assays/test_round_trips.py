"""Round trips: drift, steps and image quality of models whose h^t is known in closed form."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lrx.assays.plotting import drawing
from lrx.assays.round_trips import plot
from lrx.assays.round_trips.assay import Settings
from lrx.storage import results
from tests.support.assays_for_tests import assert_batches_and_shards_change_nothing, measure_with
from tests.support.maps_for_tests import Noise, SpaceToDepth, scaled
from tests.support.models_for_tests import Linear, Vectors, values
from tests.support.models_for_tests import one_thread as one_thread

SETTINGS = Settings(num_images=40, trips=4, shown=2, batch_size=16)
measure = measure_with(SETTINGS)


def test_identity_of_maps_stays() -> None:
    result = measure(SpaceToDepth(), Noise())
    for name in ("drift", "drift_se", "step", "drift_by_channel", "drift_by_channel_se"):
        assert not values(result, name).any(), name
    assert np.isinf(values(result, "psnr")).all()
    assert result.scores["remaining_step"] == 0
    assert result.scores["outside"] == 0
    images = values(result, "images")
    assert images.shape == (2, 5, 1, 4, 4)
    assert (images == images[:, :1]).all()
    assert result.arrays["drift_by_channel"].axes == ("trip", "channel")


@pytest.mark.parametrize("a", [0.5, -0.8, 1.25])
def test_scaling_drifts_as_its_powers(a: float) -> None:
    data = Vectors(40, dim=3)
    result = measure(Linear(a * torch.eye(3).double()), data)
    z, trips = data.points.numpy(), np.arange(1, 5)
    size = np.sqrt((z**2).mean() / z.var(0).mean())
    np.testing.assert_allclose(values(result, "drift"), np.abs(a**trips - 1) * size, rtol=1e-12)
    np.testing.assert_allclose(values(result, "step"), np.abs(a**trips - a ** (trips - 1)) * size, rtol=1e-12)
    by_latent = np.abs(a**trips - 1)[:, None] * np.sqrt((z**2).mean(0) / z.var(0))
    np.testing.assert_allclose(values(result, "drift_by_latent"), by_latent, rtol=1e-12)
    assert result.scores["remaining_step"] == pytest.approx(abs(a) ** 3)
    error = (a**trips - 1) ** 2 * (z**2).mean() / z.var(0).mean()
    np.testing.assert_allclose(values(result, "relative_error"), error, rtol=1e-12)


def test_channels_of_maps_drift_apart() -> None:
    data = Noise(40)
    result = measure(scaled([1.0, 0.5, 0.0, 2.0]), data, trips=2)
    pixels = torch.nn.functional.pixel_unshuffle(data.points, 2).numpy()
    ratio = np.sqrt((pixels**2).mean((0, 2, 3)) / pixels.var((0, 2, 3)))
    expected = np.array([[0, 0.5, 1, 1], [0, 0.75, 1, 3]]) * ratio
    np.testing.assert_allclose(values(result, "drift_by_channel"), expected, rtol=1e-12)
    assert 0 < result.scores["outside"] < 0.25  # of the doubled channel, about half of a quarter


def test_psnr_by_hand_and_clamp() -> None:
    data = Noise(40)
    decoded = 2 * data.points
    for clamp, y in ((False, decoded), (True, decoded.clamp(0, 1))):
        result = measure(scaled([2.0] * 4), data, clamp=clamp, trips=2)
        psnr = -10 * (y - data.points).square().flatten(1).mean(1).log10()
        assert values(result, "psnr")[0] == pytest.approx(float(psnr.mean()))
        assert values(result, "psnr_se")[0] == pytest.approx(float(psnr.std()) / math.sqrt(40))
        drift = float((y - data.points).square().mean()) / data.points.var().item()
        assert values(result, "drift")[0] == pytest.approx(math.sqrt(drift), rel=0.01)


def test_projection_settles_after_one_trip() -> None:
    result = measure(Linear(torch.diag(torch.tensor([1.0, 1.0, 0.0]))), Vectors(40))
    assert result.scores["remaining_step"] == 0
    np.testing.assert_array_equal(values(result, "drift_by_latent")[:, :2], 0)
    assert (values(result, "drift_by_latent")[:, 2] > 0.9).all()


def test_constant_latent_that_moves_is_infinite() -> None:
    class Moving(Linear):
        def encode(self, x: Tensor) -> Tensor:
            return torch.cat([x[:, :2], x[:, 2:].round().clamp(3, 3)], 1)

        def decode(self, z: Tensor) -> Tensor:
            return z

    class Escaping(Moving):
        def encode(self, x: Tensor) -> Tensor:
            moves = (x[:, 2:] == 3).double()
            return torch.cat([x[:, :2], 3 + moves], 1)

    data = Vectors(40)
    assert not values(measure(Moving(torch.eye(3)), data), "drift_by_latent").any()
    drift = values(measure(Escaping(torch.eye(3)), data), "drift_by_latent")
    assert np.isinf(drift[0, 2])
    assert not drift[:, :2].any()


def test_errors_agree_with_spread_over_seeds() -> None:
    torch.manual_seed(0)
    model, data = Linear(torch.eye(3) + 0.3 * torch.randn(3, 3)), Vectors()
    runs = [measure(model, data, seed, num_images=60, batch_size=60) for seed in range(60)]
    for name in ("drift", "step", "relative_error", "drift_by_latent"):
        spread = np.std([values(run, name) for run in runs], axis=0, ddof=1)
        error = np.mean([values(run, f"{name}_se") for run in runs], axis=0)
        assert 0.75 < np.median(error / spread) < 1.3, name
        assert (error / spread > 0.6).all(), name
    spread = np.std([run.scores["remaining_step"] for run in runs], ddof=1)
    assert 0.7 < np.mean([run.scores["remaining_step_se"] for run in runs]) / spread < 1.4


def test_batches_and_shards_change_nothing() -> None:
    model, data = scaled([1.0, 0.5, 0.25, 0.9]), Noise()
    assert_batches_and_shards_change_nothing(measure, model, data)


def test_refusals_name_the_reason() -> None:
    with pytest.raises(ValueError, match=r"clamp=true cuts pixels to \[0, 1\], and vectors has vectors"):
        measure(Linear(torch.eye(3)), Vectors(), clamp=True)
    with pytest.raises(ValueError, match="noise has 1 image"):
        measure(SpaceToDepth(), Noise(1))
    with pytest.raises(ValueError, match="the codes of all images are the same"):
        measure(Linear(torch.eye(3)), Vectors(scale=0.0))
    with pytest.raises(ValueError, match="after 200 trips are not finite"):
        measure(Linear(1e3 * torch.eye(3)), Vectors(), trips=200)
    with pytest.raises(ValueError, match="trips must be a whole number of at least 2, not 1"):
        Settings(trips=1)


@pytest.mark.parametrize("kind", ["maps", "vectors"])
def test_result_and_picture_from_file(kind: str, tmp_path: Path) -> None:
    model = SpaceToDepth() if kind == "maps" else Linear(0.9 * torch.eye(3))
    result = measure(model, Noise() if kind == "maps" else Vectors())
    results.write(tmp_path / "r.h5", {"round_trips": result}, {"model": "a.B", "dataset": kind})
    (picture,) = drawing.save(plot.figures, *drawing.read(tmp_path / "r.h5", "round_trips"), tmp_path)
    assert picture.stat().st_size > 1000

"""Equivariance: codes of shifted pictures, of models that shift with their pictures and of one that does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrx.assays.equivariance import assay, plot
from lrx.assays.equivariance.assay import Settings
from lrx.assays.equivariance.cost import cost
from lrx.assays.plotting import drawing
from lrx.responses.measurement import measurement
from lrx.storage import results
from tests.support.assays_for_tests import assert_batches_and_shards_change_nothing, measure_with
from tests.support.maps_for_tests import Noise, Smoothing, SpaceToDepth
from tests.support.models_for_tests import Linear, Vectors, values
from tests.support.models_for_tests import one_thread as one_thread

SETTINGS = Settings(shifts=[0, 1, 2, 4], num_images=40, margin=1, batch_size=16)
measure = measure_with(SETTINGS)


class Pooling(nn.Module):
    """Means over squares of pixels, decoded as flat squares."""

    def __init__(self, side: int = 4) -> None:
        super().__init__()
        self.side = side
        self.register_buffer("precision", torch.zeros(1, dtype=torch.float64))

    def encode(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, self.side)

    def decode(self, z: Tensor) -> Tensor:
        return z.repeat_interleave(self.side, 2).repeat_interleave(self.side, 3)


class Ramps(Noise):
    """Images that grow evenly down (or to the right) from a random level."""

    def __init__(self, axis: int) -> None:
        super().__init__(40, side=36)
        slope = torch.arange(36).double() / 100
        self.points = self.points[:, :, :1, :1] + (slope[:, None] if axis == 0 else slope).expand(36, 36)


@pytest.mark.parametrize("model", [SpaceToDepth(), Smoothing(torch.rand(4, 4, 3, 3, dtype=torch.float64) / 9)])
def test_space_to_depth_shifts_exactly(model: nn.Module) -> None:
    result = measure(model, Noise(side=20))
    assert result.arrays["error"].axes == ("direction", "shift")
    for name in ("error", "interpolated"):
        np.testing.assert_array_equal(values(result, name)[:, [0, 2, 3]], 0)
    assert result.scores["error_whole"] == 0
    if type(model) is SpaceToDepth:
        assert np.isinf(values(result, "psnr")[:, [0, 2, 3]]).all()
    else:
        psnr = values(result, "psnr")  # inside the margin the decoder knows nothing of borders
        assert np.isfinite(psnr).all()


def test_independent_pixels_between_places() -> None:
    result = measure(SpaceToDepth(), Noise(side=32), num_images=512, batch_size=256)
    # at half a place, other pixels are compared: of variance 1 + 1, and 1 + 1/4 + 1/4 with those of two places
    np.testing.assert_allclose(values(result, "error")[:, 1], 2**0.5, rtol=0.02)
    np.testing.assert_allclose(values(result, "interpolated")[:, 1], 1.5**0.5, rtol=0.02)
    np.testing.assert_allclose(values(result, "best_place")[:, 1], 0.5, atol=0.02)


@pytest.mark.parametrize("axis", [0, 1])
def test_ramp_is_interpolated_exactly(axis: int) -> None:
    result = measure(Pooling(), Ramps(axis), shifts=[0, 1, 3, 4, 6])
    moving, still = axis, 1 - axis
    np.testing.assert_allclose(values(result, "interpolated"), 0, atol=1e-12)
    np.testing.assert_allclose(values(result, "error")[still], 0, atol=1e-12)
    np.testing.assert_allclose(values(result, "best_place")[moving, [1, 2, 4]], [0.25, 0.75, 1.5], rtol=1e-9)
    assert np.isnan(values(result, "best_place")[moving, [0, 3]]).all()
    # nearest whole places: 0, 1 and 1, with a slope of .01 a pixel; spread over images and 7 places along the axis
    levels, places = Ramps(axis).points[:, 0, 0, 0].numpy(), 0.04 * np.arange(7)
    spread = np.sqrt(levels.var() + places.var())
    np.testing.assert_allclose(values(result, "error")[moving], np.array([0, 1, 1, 0, 2]) * 0.01 / spread, atol=1e-12)


def test_position_in_codes_is_an_error() -> None:
    class Positioned(Pooling):
        def encode(self, x: Tensor) -> Tensor:
            z = super().encode(x)
            return z + 5 * torch.arange(z.shape[2], dtype=z.dtype)[:, None]

    result = measure(Positioned(), Noise(side=24), shifts=[4])
    error = values(result, "error")
    assert error[0, 1] == pytest.approx(2**-0.5, rel=0.01)  # 5 in a code of 5 rows, whose variance is 2 * 25
    assert error[1, 1] == 0
    assert result.scores["error_whole"] == pytest.approx(error[0, 1] / 2**0.5)


def test_psnr_of_shifted_code_by_hand() -> None:
    data = Noise(40, side=24)
    result = measure(Pooling(), data, shifts=[4], batch_size=40)
    y = F.interpolate(F.avg_pool2d(data.points, 4), scale_factor=4.0)
    for direction, (rows, columns) in enumerate(((slice(8, 12), slice(4, 16)), (slice(4, 16), slice(8, 12)))):
        error = (y - data.points)[:, :, rows, columns].square().flatten(1).mean(1)
        psnr = -10 * error.log10()
        assert values(result, "psnr")[direction, 1] == pytest.approx(float(psnr.mean()))
        assert values(result, "psnr_se")[direction, 1] == pytest.approx(float(psnr.std()) / 40**0.5)
    assert result.scores["psnr_loss"] == pytest.approx(0, abs=1e-9)  # the same pixels of the same means


def test_errors_agree_with_spread_over_seeds() -> None:
    torch.manual_seed(0)

    class Bent(Smoothing):
        def encode(self, x: Tensor) -> Tensor:
            z = super().encode(x)
            return z + z.mean((1, 2, 3), keepdim=True).sin() * torch.arange(z.shape[2]).double()[:, None]

    model, data = Bent(torch.rand(4, 4, 3, 3, dtype=torch.float64) / 9), Noise(4000, side=20)
    runs = [measure(model, data, seed, num_images=50, batch_size=50) for seed in range(40)]
    for name in ("error", "interpolated", "psnr", "best_place", "best"):
        spread = np.std([values(run, name) for run in runs], axis=0, ddof=1)
        error = np.mean([values(run, f"{name}_se") for run in runs], axis=0)
        varies = spread > 1e-12
        ratio = error[varies] / spread[varies]
        assert 0.7 < np.nanmedian(ratio) < 1.4, name
        assert np.nanmin(ratio) > 0.5, name
    for name in ("error_whole", "error_fraction", "psnr_loss", "psnr_unshifted"):
        spread = float(np.std([run.scores[name] for run in runs], ddof=1))
        assert 0.6 < np.mean([run.scores[f"{name}_se"] for run in runs]) / spread < 1.6, name


def test_default_shifts_and_margin() -> None:
    result = measure(Pooling(), Noise(40, side=32), shifts=None, margin=None)
    assert result.settings["shifts"] == "0, 1, 2, 3, 4"
    assert (result.settings["margin"], result.settings["window"]) == (2, "28 x 28")
    result = measure(Pooling(32), Noise(4, side=128), shifts=None, margin=None)
    assert result.settings["shifts"] == "0, 8, 16, 24, 32"
    assert result.settings["margin"] == 0


def test_batches_and_shards_change_nothing() -> None:
    model, data = Smoothing(torch.rand(4, 4, 3, 3, dtype=torch.float64) / 9), Noise(side=20)
    assert_batches_and_shards_change_nothing(measure, model, data)


class OneSize(SpaceToDepth):
    """A model with a parameter for every place, as one with learned positions."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(4, 10, 10, dtype=torch.float64))

    def encode(self, x: Tensor) -> Tensor:
        return super().encode(x) + self.positions


def test_refusals_name_the_reason() -> None:
    with pytest.raises(ValueError, match="those of this model are vectors of 3"):
        measure(Linear(torch.eye(3)), Vectors())
    with pytest.raises(ValueError, match="this model takes images of one size only: RuntimeError: The size of tensor"):
        measure(OneSize(), Noise(side=20))
    with pytest.raises(ValueError, match="margin must be at most 1: codes of 10 x 10 places, a margin of 2"):
        measure(SpaceToDepth(), Noise(side=20), margin=2)
    with pytest.raises(ValueError, match="shifts must be smaller: codes of 10 x 10 places"):
        measure(SpaceToDepth(), Noise(side=20), shifts=[0, 16])
    for shifts in ([], [0], [1, 1], [-1], [0.5]):
        with pytest.raises(ValueError, match="shifts must be "):
            Settings(shifts=shifts)  # type: ignore[arg-type]
    constant = Noise(side=20)
    constant.points = torch.zeros_like(constant.points)
    with pytest.raises(ValueError, match="the codes of all images are the same"):
        measure(SpaceToDepth(), constant)


def test_picture_from_file(tmp_path: Path) -> None:
    for number, model in enumerate((SpaceToDepth(), Pooling())):
        path = tmp_path / f"{number}.h5"
        results.write(path, {"equivariance": measure(model, Noise(side=24))}, {"model": "a.B", "dataset": "noise"})
        (picture,) = drawing.save(plot.figures, *drawing.read(path, "equivariance"), tmp_path)
        assert picture.stat().st_size > 1000


def test_told_passes_pass() -> None:
    class Counting(Pooling):
        encoded = decoded = 0

        def encode(self, x: Tensor) -> Tensor:
            self.encoded += len(x)
            return super().encode(x)

        def decode(self, z: Tensor) -> Tensor:
            self.decoded += len(z)
            return super().decode(z)

    model, settings = Counting(), Settings(shifts=[2, 4], num_images=20)
    m = measurement(model, Noise(side=24), torch.Generator().manual_seed(0))
    told, model.encoded = cost(m, settings), 0
    assay.measure(m, settings)
    assert (model.encoded, model.decoded) == (told.encodings, told.decodings)

"""Footprints against decoders whose pictures are known, and the spread of repeated seeds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

from lrx.assays.footprint.assay import Settings
from lrx.assays.footprint.plot import figures, picture
from lrx.assays.plotting import style
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult
from lrx.core.validation import SettingError
from lrx.responses.work_units import Key, Shard, ShardDone, StoredUnits, Values
from tests.support.assays_for_tests import map_assay
from tests.support.maps_for_tests import Noise, Smoothing, SpaceToDepth
from tests.support.models_for_tests import Linear, Vectors, values
from tests.support.models_for_tests import one_thread as one_thread

COLOURS = torch.tensor([[0.5, 0.5, 0.5], [1.0, -0.5, 0.0]], dtype=torch.float64)


class Tiles(nn.Module):
    """Two channels whose places are even tiles of 4 x 4 pixels, one grey, one coloured; a third paints nothing."""

    def encode(self, x: Tensor) -> Tensor:
        z = F.avg_pool2d(x, 4)
        return torch.cat([z[:, :2], torch.zeros_like(z[:, :1])], dim=1)

    def decode(self, z: Tensor) -> Tensor:
        return torch.einsum("bchw,co->bohw", z[:, :2], COLOURS).repeat_interleave(4, 2).repeat_interleave(4, 3)


class Bent(SpaceToDepth):
    """A decoder that paints by what is around."""

    def decode(self, z: Tensor) -> Tensor:
        return super().decode(torch.tanh(z + 0.5 * F.avg_pool2d(z, 3, 1, 1) + 0.5 * z.mean(1, keepdim=True)))


assay = map_assay(Settings)


def test_space_to_depth_paints_its_own_pixel() -> None:
    result = assay(SpaceToDepth(), margin=2, num_samples=20)
    expected = np.zeros((4, 1, 10, 10))
    for channel, (y, x) in enumerate(np.ndindex(2, 2)):
        expected[channel, 0, 4 + y, 4 + x] = values(result, "step")[channel]
    assert np.allclose(values(result, "patch"), expected, atol=1e-14)
    assert not values(result, "patch")[expected == 0].any()
    assert np.allclose(values(result, "rgb")[:, 0], values(result, "step") / 4)
    assert np.allclose(values(result, "strength"), values(result, "step"))
    assert values(result, "grey") == pytest.approx(1)
    assert values(result, "flat") == pytest.approx(0.25)
    assert values(result, "radius") == pytest.approx(0.5**0.5)
    assert result.arrays["patch"].axes == ("channel", "colour", "dy", "dx")
    assert result.coordinates["dy"].tolist() == list(range(-4, 6))


def test_linear_decoder_paints_its_kernel() -> None:
    weight = torch.randn(4, 4, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    result = assay(Smoothing(weight), num_samples=20, size=2.0)
    painted = F.pixel_shuffle(weight.flip(2, 3).transpose(0, 1), 2).numpy()  # of channel j: what each pixel gets
    expected = 2 * values(result, "step")[:, None, None, None] * painted
    assert np.allclose(values(result, "patch"), expected, atol=1e-13)
    assert values(result, "patch_se").max() < 1e-7
    y, x = np.mgrid[-2:4, -2:4] - 0.5
    square = (painted**2 * (y**2 + x**2)).sum((1, 2, 3)) / (painted**2).sum((1, 2, 3))
    assert np.allclose(values(result, "radius"), np.sqrt(square))


def test_tiles_are_flat_and_of_their_colour() -> None:
    result = assay(Tiles(), Noise(channels=3, side=12), num_samples=30)
    step = values(result, "step")
    assert np.allclose(values(result, "rgb"), [*(step[:2, None] * COLOURS.numpy()), np.zeros(3)])
    assert values(result, "flat")[:2] == pytest.approx(1)
    assert values(result, "grey")[:2] == pytest.approx([1, 0.5**2 / (3 * 1.25)])
    assert values(result, "radius")[:2] == pytest.approx(np.sqrt(2 * (4**2 - 1) / 12))
    assert np.isnan([values(result, name)[2] for name in ("grey", "flat", "radius")]).all()
    assert values(result, "strength")[2] == 0
    assert result.scores["num_painting"] == 2
    assert result.coordinates["colour"].tolist() == ["red", "green", "blue"]


def test_errors_equal_the_spread_of_seeds() -> None:
    results = [assay(Bent(), seed=seed, num_samples=40) for seed in range(60)]
    for name in ("patch", "rgb", "strength", "flat", "radius"):
        spread = np.std([values(result, name) for result in results], axis=0, ddof=1)
        mean = np.sqrt(np.mean([values(result, f"{name}_se") ** 2 for result in results], axis=0))
        ratio = spread[mean > 1e-9] / mean[mean > 1e-9]
        assert 0.85 < np.median(ratio) < 1.2, name


def test_joined_shards_equal_undivided_assay() -> None:
    undivided, parts = assay(Bent(), batch_size=7), {}
    for number in (1, 2):
        shard = Shard(number, 2)
        with pytest.raises(ShardDone):
            assay(Bent(), share=shard, batch_size=7)
        parts |= shard.values_by_key
    joined: dict[Key, Values] = parts
    again = assay(Bent(), share=StoredUnits(joined.__getitem__), batch_size=7)
    for name in undivided.arrays:
        assert np.array_equal(values(undivided, name), values(again, name)), name


def test_batches_change_no_draw() -> None:
    one, other = (assay(Bent(), batch_size=size) for size in (7, 64))
    assert np.allclose(values(one, "patch"), values(other, "patch"), atol=1e-14)


def test_vectors_and_other_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^assay=footprint needs codes .*, and those of this model are vectors of 3;"):
        run_assay(Settings(), Linear(torch.eye(3)), Vectors(), torch.Generator())

    class Cropped(SpaceToDepth):
        def decode(self, z: Tensor) -> Tensor:
            return super().decode(z)[..., :-1]

    with pytest.raises(
        ValueError, match=r"multiples of those of the code, 6 x 6 places; this model decodes to \(1, 12, 11\)"
    ):
        assay(Cropped())
    with pytest.raises(
        SettingError, match=r"^margin must be at most 2 for codes of 6 x 6 places, not 3; larger images"
    ):
        assay(SpaceToDepth(), margin=3)


def test_decoder_that_ignores_codes_has_a_remark() -> None:
    class Ignoring(SpaceToDepth):
        def decode(self, z: Tensor) -> Tensor:
            return super().decode(z) * 0

    result = assay(Ignoring())
    assert result.scores == {"num_painting": 0.0}
    assert "no channel changes the picture" in str(result.settings["remark"])
    drawn(result)


def drawn(result: AssayResult) -> Figure:
    with style.plot_style():
        figure = figures(result, {"model": "m.Tiles", "dataset": "noise"})["footprint"]
        style.png(figure)
    return figure


def test_picture_has_a_patch_for_each_channel() -> None:
    result = assay(Tiles(), Noise(channels=3, side=12), num_samples=10)
    figure = drawn(result)
    assert [axes.get_xlabel().split("\n")[0].split(":")[0] for axes in figure.axes] == ["1", "0", "2"]
    assert ", r 1.6\ngrey 1.00, flat 1.00" in figure.axes[1].get_xlabel()
    assert figure.axes[2].get_xlabel().endswith("paints nothing")
    assert picture(np.array([[[1.0, -1.0, 0.0]]])).tolist() == [[[1.0] * 3, [0.0] * 3, [0.5] * 3]]

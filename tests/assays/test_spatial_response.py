"""Spatial responses against known kernels, a plain loop, and the spread of repeated seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lrx.assays.run import run_assay
from lrx.assays.spatial_response.assay import Settings
from lrx.core.validation import SettingError
from lrx.responses.draws import draws
from lrx.responses.measurement import measurement
from lrx.responses.work_units import Key, Shard, ShardDone, StoredUnits, Values
from tests.support.assays_for_tests import map_assay
from tests.support.maps_for_tests import Noise, Smoothing, SpaceToDepth
from tests.support.models_for_tests import Linear, Vectors, values
from tests.support.models_for_tests import one_thread as one_thread


def kernel_of(side: int) -> Tensor:
    return 0.3 * torch.randn(4, 4, side, side, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


class Coupled(Smoothing):
    """A bent decoder and a norm over all places, which couples them."""

    def __init__(self) -> None:
        super().__init__(kernel_of(3))

    def decode(self, z: Tensor) -> Tensor:
        return super().decode(F.group_norm(torch.tanh(3 * z), 1))


class Averaging(SpaceToDepth):
    """h is the mean over 3 x 3 places of the channel, as if a neighbourhood overruled one place."""

    def decode(self, z: Tensor) -> Tensor:
        return super().decode(F.avg_pool2d(F.pad(z, (1, 1, 1, 1), mode="replicate"), 3, 1))


class Even(Noise):
    """Images of which each has the same code at all places."""

    def __init__(self) -> None:
        super().__init__(300, side=2)
        self.points = self.points.tile(1, 1, 6, 6)
        self.observation_shape = (1, 12, 12)


assay = map_assay(Settings)


def test_space_to_depth_answers_where_set() -> None:
    result = assay(SpaceToDepth())
    kernel = values(result, "kernel")
    expected = np.zeros((4, 4, 5, 5))
    expected[range(4), range(4), 2, 2] = values(result, "step")
    assert np.allclose(kernel, expected, atol=1e-15)
    assert not kernel[expected == 0].any()
    assert not values(result, "far").any()
    assert not values(result, "reach").any()
    assert values(result, "read_back") == pytest.approx(1, abs=1e-12)
    assert values(result, "read_back_se") == pytest.approx(0, abs=1e-7)
    assert result.scores["num_informative"] == 4
    assert result.scores["num_correlated_only"] == 0
    assert result.arrays["kernel"].axes == ("intervened", "responding", "dy", "dx")
    assert result.coordinates["dy"].tolist() == [-2, -1, 0, 1, 2]


def test_step_is_that_of_uniform_pixels() -> None:
    result = assay(SpaceToDepth(), num_samples=400, places=4)
    assert values(result, "step") == pytest.approx(12**-0.5, rel=0.05)


def test_convolution_gives_its_kernel() -> None:
    weight = kernel_of(3)
    result = assay(Smoothing(weight), num_samples=20)
    step = values(result, "step")[:, None, None, None]
    expected = weight.abs().flip(2, 3).transpose(0, 1).numpy() * step  # from the site to its neighbours
    assert np.allclose(values(result, "kernel")[:, :, 1:4, 1:4], expected, atol=1e-14)
    assert values(result, "kernel")[:, :, 0].max() == 0
    squares = weight.square().transpose(0, 1).numpy()
    share = squares[:, :, 1, 1].sum(1) / squares.sum((1, 2, 3))
    assert np.allclose(values(result, "within")[:, 0], share)
    assert np.array_equal(values(result, "reach")[:, 2], np.ones(4))


def test_far_is_the_rest_of_the_kernel() -> None:
    weight = kernel_of(5)
    result = assay(Smoothing(weight), Noise(side=20), num_samples=10, radius=2)
    near = assay(Smoothing(weight), Noise(side=20), num_samples=10, radius=1)
    assert not values(result, "far").any()
    outside = weight.square().sum((2, 3)) - weight.square()[:, :, 1:4, 1:4].sum((2, 3))
    # places one from the border lose a part of the kernel, and the response there is smaller
    assert (values(near, "far") <= np.sqrt(outside.T.numpy() / 91) * values(near, "step")[:, None] + 1e-12).all()
    assert values(near, "far").min() > 0


def test_kernel_equals_a_plain_loop() -> None:
    model, data = Coupled(), Noise(side=8)
    result = assay(model, data, num_samples=6, places=4, radius=1)
    m = measurement(model, data, torch.Generator().manual_seed(0)).with_units("channel")
    block = next(draws(m, base="posterior")).first(6)
    z, v = (x.view(-1, 4, 4, 4) for x in (block.z_ND, block.values_ND))
    square, far = torch.zeros(4, 4, 3, 3, dtype=torch.float64), torch.zeros(4, 4, dtype=torch.float64)
    for number, channel, y, x in np.ndindex(6, 4, 2, 2):
        set_ = z[number : number + 1].clone()
        set_[0, channel, y + 1, x + 1] = v[number, channel, y + 1, x + 1]
        d = model.encode(model.decode(set_)) - model.encode(model.decode(z[number : number + 1]))
        square[channel] += d[0, :, y : y + 3, x : x + 3].square() / 24
        outside = d[0].square().clone()
        outside[:, y : y + 3, x : x + 3] = 0
        far[channel] += outside.sum((1, 2)) / 7 / 24
    assert np.allclose(values(result, "kernel"), (square / 2).sqrt().numpy(), atol=1e-12)
    assert np.allclose(values(result, "far"), (far / 2).sqrt().numpy(), atol=1e-12)
    assert values(result, "far").min() > 1e-3  # the norm reaches everywhere


def test_neighbours_overrule_a_place_but_not_a_patch() -> None:
    one, patch = assay(Averaging(), Even()), assay(Averaging(), Even(), patch=3)
    assert values(one, "read_back") == pytest.approx(1 / 9)
    assert values(one, "correlation") == pytest.approx(1)
    assert one.scores["num_correlated_only"] == 4
    assert "read_back > 0.5 (the largest is 0.11)" in str(one.settings["remark"])
    assert patch.settings["remark"] is None
    pooled = (4 * (4 / 9) ** 2 + 4 * (6 / 9) ** 2 + 1) / 9
    assert values(patch, "read_back") == pytest.approx(pooled**0.5)
    assert values(patch, "kernel")[0, 0, 2, 2] == pytest.approx(values(patch, "step")[0])
    assert patch.scores["num_correlated_only"] == 0


def test_errors_equal_the_spread_of_seeds() -> None:
    results = [assay(Coupled(), Noise(side=8), seed, num_samples=40, places=2) for seed in range(60)]
    for name in ("kernel", "far", "within", "read_back", "correlation"):
        spread = np.std([values(result, name) for result in results], axis=0, ddof=1)
        mean = np.sqrt(np.mean([values(result, f"{name}_se") ** 2 for result in results], axis=0))
        ratio = spread[mean > 1e-9] / mean[mean > 1e-9]
        assert 0.85 < np.median(ratio) < 1.15, name
        assert ratio.max() < 1.7, name


def test_draws_do_not_depend_on_batches_or_number() -> None:
    one, other = (assay(Coupled(), num_samples=140, batch_size=size) for size in (7, 128))
    assert np.allclose(values(one, "kernel"), values(other, "kernel"), atol=1e-13)


def test_joined_shards_equal_undivided_assay() -> None:
    undivided = assay(Coupled(), num_samples=140)
    parts: dict[Key, Values] = {}
    for number in (1, 2, 3):
        shard = Shard(number, 3)
        with pytest.raises(ShardDone):
            assay(Coupled(), share=shard, num_samples=140)
        assert shard.values_by_key
        parts |= shard.values_by_key
    joined = assay(Coupled(), share=StoredUnits(parts.__getitem__), num_samples=140)
    for name in undivided.arrays:
        assert np.array_equal(values(undivided, name), values(joined, name), equal_nan=True), name


class Constant(Averaging):
    """The last channel is 0.3 everywhere, and the others answer by a ninth."""

    def encode(self, x: Tensor) -> Tensor:
        z = super().encode(x)
        return torch.cat([z[:, :3], torch.full_like(z[:, 3:], 0.3)], dim=1)


def test_constant_channel_has_no_correlation() -> None:
    result = assay(Constant(), Noise(side=8))
    for name in ("correlation", "correlation_se", "read_back"):
        assert np.isnan(values(result, name)).tolist() == [False, False, False, True], name
    assert "read_back > 0.5 (the largest is 0.11)" in str(result.settings["remark"])


def test_codes_of_one_place_have_no_far() -> None:
    result = assay(SpaceToDepth(), Noise(side=2))
    assert np.isnan(values(result, "far")).all()
    assert values(result, "kernel").shape == (4, 4, 1, 1)
    assert values(result, "read_back") == pytest.approx(1)


def test_vectors_are_refused_with_the_assay_that_fits() -> None:
    with pytest.raises(
        ValueError, match=r"^assay=spatial_response needs .* vectors of 3; assay=response_matrix measures"
    ):
        run_assay(Settings(), Linear(torch.eye(3)), Vectors(), torch.Generator())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"radius": 3}, "radius must be at most 2 for codes of 6 x 6 places, not 3; larger"),
        ({"places": 5}, "places must be at most 4, those of 6 x 6 at least 2 from the borders, not 5"),
        ({"patch": 2}, "patch must be an odd number of at least 1, not 2"),
        ({"patch": 5, "radius": 1}, "patch must be at most 2 radius + 1 = 3, not 5"),
        ({"patch": 7}, "patch must be at most 5 for codes of 6 x 6 places, not 7"),
        ({"base": "prior"}, "base=prior: no prior is known"),
    ],
)
def test_settings_that_codes_do_not_have_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError) as caught:
        assay(SpaceToDepth(), **settings)
    assert str(caught.value).startswith(message)

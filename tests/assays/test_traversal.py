from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.answers import moved_latents
from lrx.assays.run import run_assay
from lrx.assays.traversal.assay import Settings, measure
from lrx.assays.traversal.targets import EXTENT, STEPS
from lrx.core.types import AssayResult
from lrx.responses.measure_matrix import measure_matrix
from lrx.responses.measurement import measurement
from tests.support.models_for_tests import Vectors
from tests.support.models_for_tests import one_thread as one_thread

SETTINGS: dict[str, Any] = {
    "latents": "informative",
    "images": 3,
    "extent": 2.0,
    "steps": 5,
    "num_samples": 256,
    "batch_size": 64,
}
GAINS = torch.tensor([0.6, 0.1, 1.0, 0.8], dtype=torch.float64)


class Rows(Vectors):
    """Images of one row whose pixels are sigmoids of normal numbers."""

    def __init__(self) -> None:
        super().__init__(40, 4)
        self.points = self.points.sigmoid()[:, None, None]
        self.observation_shape = (1, 1, 4)


class Gains(nn.Module):
    """h_j = gain_j z_j."""

    def __init__(self, gains: Tensor = GAINS) -> None:
        super().__init__()
        self.gains = nn.Parameter(gains.clone())

    def encode(self, x: Tensor) -> Tensor:
        return x

    def decode(self, z: Tensor) -> Tensor:
        return z * self.gains


class Pixels(Gains):
    """The same through images (B, 1, 1, D)."""

    def encode(self, x: Tensor) -> Tensor:
        return torch.logit(x[:, 0, 0]) * self.gains

    def decode(self, z: Tensor) -> Tensor:
        return z.sigmoid()[:, None, None]


def assay(model: nn.Module, data: Vectors | None = None, seed: int = 0, **settings: Any) -> AssayResult:
    progress = settings.pop("progress", None)
    generator = torch.Generator().manual_seed(seed)
    return run_assay(Settings(**{**SETTINGS, **settings}), model, data or Vectors(40, 4), generator, progress=progress)


def test_rows_are_informative_latents_by_response() -> None:
    result = assay(Gains())
    assert result.coordinates["latent"].tolist() == [2, 3, 0]
    off = np.abs(result.arrays["self_response"].values - GAINS[[2, 3, 0]].numpy())
    assert (off < 4.5 * result.arrays["self_response_se"].values).all()
    assert result.scores["num_informative"] == 3
    assert result.settings["remark"] is None
    assert assay(Gains(), latents="all").coordinates["latent"].tolist() == [2, 3, 0, 1]
    assert assay(Gains(), latents=[1, 2]).coordinates["latent"].tolist() == [2, 1]


def test_walk_sets_one_latent() -> None:
    result = assay(Gains(), images=[7, 4])
    walks, codes = result.arrays["walk"].values, Vectors(40, 4).points[[7, 4]]
    assert result.arrays["walk"].axes == ("image", "latent", "step", "dimension")
    assert walks.shape == (2, 3, 5, 4)
    for row, latent in enumerate((2, 3, 0)):
        z = codes[:, None].repeat(1, 5, 1)
        z[:, :, latent] = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]).double()
        assert np.allclose(walks[:, row], (z * GAINS).numpy(), atol=1e-6)
        assert np.allclose(result.arrays["response"].values[:, row], (z * GAINS).numpy(), atol=1e-12)
        assert np.allclose(result.arrays["own_response"].values[:, row], GAINS[latent] * z[0, :, latent], atol=1e-12)
    assert result.coordinates["step"].tolist() == [-2, -1, 0, 1, 2]
    assert np.allclose(result.arrays["reconstruction"].values, (codes * GAINS).numpy(), atol=1e-6)


def test_following_is_gain_of_response() -> None:
    assert np.allclose(assay(Gains()).arrays["following"].values, GAINS[[2, 3, 0]].numpy(), rtol=1e-12)

    class Saturating(Gains):
        def encode(self, x: Tensor) -> Tensor:
            return x.clamp(-1, 1)

    result = assay(Saturating(torch.ones(4).double()))
    assert np.allclose(result.arrays["own_response"].values, [-1, -1, 0, 1, 1], atol=1e-12)
    assert np.allclose(result.arrays["following"].values, 0.6, rtol=1e-12)  # (2 + 1 + 1 + 2) / 10
    assert result.scores["mean_following_se"] == pytest.approx(0, abs=1e-12)


MIXED = torch.tensor([[1.0, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, -0.25], [0, 0, 0, 1]]).double()


class Mixing(Gains):
    """h = z MIXED."""

    def decode(self, z: Tensor) -> Tensor:
        return z @ MIXED


def test_values_and_latent_as_numbers() -> None:
    given = {"extent": EXTENT, "steps": STEPS, "images": [7, 4]}
    result = assay(Mixing(), latents=2, values=[2, -2], **given)
    assert result.coordinates["latent"].tolist() == [2]
    assert result.coordinates["step"].tolist() == [-2, 2]
    z = Vectors(40, 4).points[[7, 4]]
    assert np.allclose(result.arrays["original"].values, z, atol=1e-6)
    assert np.allclose(result.arrays["reconstruction"].values, z @ MIXED, atol=1e-6)
    size = torch.stack([(value - z[:, 2]).square() for value in (-2, 2)]).mean(0).sqrt()
    expected = size[:, None] * MIXED[2].abs()
    assert np.allclose(result.arrays["answer"].values, expected.mean(0)[None], atol=1e-6)
    assert np.allclose(result.arrays["answer_se"].values, expected.std(0)[None] / math.sqrt(2), atol=1e-6)
    moved = moved_latents({"traversal": result})
    assert {name: [answer.name for answer in found] for name, found in moved.items()} == {"latent 2": ["latent 3"]}
    assert result.settings["values"] == "2, -2"
    assert result.settings["extent"] is None
    one = assay(Mixing(), latents=[0, 1], values=1.5, **given)
    assert one.arrays["walk"].values.shape[:3] == (2, 2, 1)
    assert np.isnan(one.arrays["following"].values).all()
    assert np.isnan(one.scores["mean_following"])


def test_images_are_stored_as_uint8() -> None:
    result = assay(Pixels(), Rows())
    walks = result.arrays["walk"]
    assert walks.axes == ("image", "latent", "step", "channel", "height", "width")
    assert walks.values.dtype == np.uint8
    expected = torch.sigmoid(torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])) * 255
    assert (np.abs(walks.values[:, 0, :, 0, 0, 2] - expected.numpy()) <= 0.51).all()


def test_all_are_walked_where_none_is_informative() -> None:
    result = assay(Gains(0.1 * GAINS))
    assert len(result.coordinates["latent"]) == 4
    assert result.scores["num_informative"] == 0
    assert "informative" in str(result.settings["remark"])


def test_smallest_and_many_latents() -> None:
    result = assay(Gains(torch.ones(1).double()), Vectors(1, 1))
    assert result.arrays["walk"].values.shape == (1, 1, 5, 1)
    assert "mean_following_se" not in result.scores
    assert len(assay(Gains(torch.ones(256).double()), Vectors(5, 256), num_samples=8).coordinates["latent"]) > 200


def test_images_are_drawn_first_and_progress_is_complete() -> None:
    calls: list[tuple[int, int]] = []
    result = assay(Gains(), seed=5, progress=lambda done, total: calls.append((done, total)))
    first = torch.randperm(40, generator=torch.Generator().manual_seed(5))[:3]
    assert result.coordinates["image"].tolist() == first.tolist()
    assert calls[-1][0] == calls[-1][1] == 256 * 5 + 3 * 3 * 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"latents": "informativ"}, "latents must be informative, all, a number, or a list"),
        ({"latents": "informativ"}, "did you mean informative"),
        ({"latents": 4}, "latents must name one of 0 to 3, not 4"),
        ({"values": []}, "values must be null, a number, or different numbers"),
        ({"values": [1, 1.0]}, "values must be null, a number, or different numbers"),
        ({"values": ["a"]}, "values must be null, a number, or different numbers"),
        ({"values": 2, "steps": 5, "extent": EXTENT}, "steps=5 has no effect beside values; leave one of them out"),
        ({"values": [1, 2], "extent": 2.0}, "extent=2.0 has no effect beside values"),
        ({"latents": [4]}, "latents must be different ones of 0 to 3"),
        ({"latents": [1, 1]}, "latents must be different ones of 0 to 3"),
        ({"latents": []}, "latents must be different ones of 0 to 3"),
        ({"images": 0}, "images must be a whole number of at least 1"),
        ({"images": [40]}, "images must be a number, or different indices of 0 to 39"),
        ({"extent": -1}, "extent must be a positive number, not -1"),
        ({"steps": 1}, "steps must be a whole number of at least 2, not 1"),
        ({"num_samples": 1}, "num_samples must be null or a whole number of at least 2, not 1"),
        ({"batch_size": 0}, "batch_size must be null or"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        assay(Gains(), **settings)


def test_shared_matrix_orders_latents() -> None:
    calls: list[tuple[int, int]] = []
    progress = lambda done, total: calls.append((done, total))  # noqa: E731
    m = measurement(Gains(), Vectors(40, 4), torch.Generator().manual_seed(0), progress=progress)
    shared = measure_matrix(m, base="prior", num_samples=64)
    calls.clear()
    for latents, order in (("informative", [2, 3, 0]), ([0, 3], [3, 0])):
        settings = Settings(latents=latents, num_samples=None, steps=5)
        result = measure(dataclasses.replace(m, matrix=shared), settings)
        assert result.coordinates["latent"].tolist() == order
        assert np.array_equal(result.arrays["self_response"].values, shared.on_scale("half")[0].diagonal()[order])
        assert result.settings["num_samples"] == 64
        assert calls[-1] == (3 * 5 * len(order), 3 * 5 * len(order))

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lrx
from lrx.assays.result import Result
from lrx.responses.stored_observations import as_numbers, as_stored, decoded, observation_axes, observation_unit
from tests.support.class_grid import ClassGrid


class Flat(nn.Module):
    """Decoder of images whose pixels are all the first latent."""

    def encode(self, x: Tensor) -> Tensor:
        return x[:, 0, 0, :1]

    def decode(self, z: Tensor) -> Tensor:
        assert not self.training
        return z[:, :1, None, None].expand(-1, 2, 3, 4)


def test_stored_uint8_within_half_step() -> None:
    z = torch.linspace(0, 1, 13)[:, None]
    model = Flat().train()
    stored = decoded(model, z, batch_size=5)
    assert (stored.dtype, stored.shape) == (np.uint8, (13, 2, 3, 4))
    assert np.abs(stored[:, 0, 0, 0] / 255 - z[:, 0].numpy()).max() <= 0.5 / 255 + 1e-7
    assert model.training
    assert as_stored(torch.tensor([[[[-0.1, 1.1]]]])).ravel().tolist() == [0, 255]


class Halves(nn.Module):
    """h(z) = z / 4, of any dtype."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(3, dtype=dtype) / 2)

    def encode(self, x: Tensor) -> Tensor:
        return x @ self.weight

    def decode(self, z: Tensor) -> Tensor:
        return z @ self.weight


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("manifold", {"num_points": 8}),
        ("interpolation", {"num_pairs": 2, "num_nodes": 8, "steps": 1}),
        ("response_map", {"resolution": 6, "num_samples": 8, "decoded": 0}),
        ("metrics", {"preset": "fast", "only": ["mcc"]}),
    ],
)
def test_models_in_half_precision_are_stored(
    name: str, settings: dict[str, Any], dtype: torch.dtype, tmp_path: Path
) -> None:
    result = lrx.assay(name, Halves(dtype), ClassGrid(5, 4, 3), **settings)
    assert isinstance(result, Result)
    result.save(tmp_path / "result.h5")


def test_numbers_keep_their_values() -> None:
    for dtype in (torch.bfloat16, torch.float16, torch.float32, torch.float64):
        values = as_numbers(torch.tensor([0.5, -3.0], dtype=dtype))
        assert values.dtype == (np.float64 if dtype == torch.float64 else np.float32)
        assert values.tolist() == [0.5, -3.0]


def test_vectors_are_stored_as_float32() -> None:
    vectors = torch.tensor([[-3.0, 7.5]], dtype=torch.float64)
    assert as_stored(vectors).dtype == np.float32
    assert as_stored(vectors).tolist() == [[-3.0, 7.5]]


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((1, 4, 4), ("channel", "height", "width")), ((3,), ("dimension",)), ((2, 2), ("dimension_0", "dimension_1"))],
)
def test_observation_axes_and_unit(shape: tuple[int, ...], axes: tuple[str, ...]) -> None:
    assert observation_axes(np.zeros(shape)) == axes
    assert observation_unit(np.zeros(shape, dtype=np.uint8)) != observation_unit(np.zeros(shape))

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.responses.stored_observations import as_stored, decoded, observation_axes, observation_unit


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

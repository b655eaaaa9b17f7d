"""Units in conditioned responses, the latent graph and traversals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.catalog import settings_of
from lrx.assays.conditioned_response.assay import Settings as Conditioned
from lrx.assays.factor_inference.assay import Settings as Inference
from lrx.assays.interchange.assay import Settings as Interchange
from lrx.assays.latent_graph.assay import Settings as Graph
from lrx.assays.response_map.assay import Settings as ResponseMap
from lrx.assays.run import run_assay
from lrx.assays.traversal.assay import Settings as Traversal
from lrx.core.settings import Checked
from lrx.core.types import AssayResult, Dataset
from tests.assays.test_conditioned_response import spread
from tests.responses.test_units import Majority
from tests.support.class_grid import ClassGrid, LinearPair
from tests.support.maps_for_tests import Noise, Smoothing, SpaceToDepth
from tests.support.models_for_tests import Vectors, values
from tests.support.models_for_tests import one_thread as one_thread


def measured(settings: Checked, model: nn.Module, data: Dataset) -> AssayResult:
    result = run_assay(settings, model, data, torch.Generator().manual_seed(0))
    assert isinstance(result, AssayResult)
    return result


def test_conditioned_response_of_pair_equals_plane() -> None:
    turned = torch.eye(3, dtype=torch.float64)
    turned[:2, :2] = torch.tensor([[0.8, 0.6], [-0.6, 0.8]])
    settings = Conditioned(num_groups=1000, max_pairs=1000, units=[[0, 1]])
    result = measured(settings, LinearPair(turned.float()), ClassGrid(4, 3, 5))
    plane, rest = [spread(4) / math.sqrt(2), spread(3) / math.sqrt(2)], spread(5)
    assert np.allclose(values(result), [[plane[0], 0], [plane[1], 0], [0, rest]], atol=1e-6)
    assert result.coordinates["latent"].tolist() == ["0+1", "2"]


class Scaled(Smoothing):
    """Smoothing whose codes have channel 0 a hundred times as large."""

    def encode(self, x: Tensor) -> Tensor:
        return super().encode(x) * self.scale(x)

    def decode(self, z: Tensor) -> Tensor:
        return super().decode(z / self.scale(z))

    def scale(self, like: Tensor) -> Tensor:
        return torch.tensor([100.0, 1, 1, 1]).to(like)[:, None, None]


@pytest.mark.parametrize("kind", [Smoothing, Scaled])
def test_graph_of_channels_ignores_their_scale(kind: type[Smoothing]) -> None:
    kernel = torch.eye(4, dtype=torch.float64)[:, :, None, None].clone()
    kernel[1, 0] = 0.6
    result = measured(Graph(num_samples=1024), kind(kernel), Noise())
    expected = np.zeros((4, 4))
    expected[0, 1] = 1
    assert np.array_equal(values(result, "edge"), expected)
    assert values(result, "stability")[0, 1] == 1


@pytest.mark.parametrize("units", ["channel", "site", "patch:2"])
def test_walks_along_units_of_an_identity_are_followed(units: str) -> None:
    result = measured(Traversal(units=units, num_samples=64), SpaceToDepth(), Noise())
    assert np.allclose(values(result, "following"), 1, atol=1e-12)
    code, response = result.arrays["code"], result.arrays["response"]
    assert code.axes == ("image", "latent_channel", "y", "x")
    assert response.values.shape[3:] == code.values.shape[1:] == (4, 2, 2)


def test_walk_along_group_moves_output() -> None:
    single = measured(Traversal(latents=[0, 1, 2]), Majority(), Vectors(dim=2))
    group = measured(Traversal(latents=[0], units=[[0, 1, 2]]), Majority(), Vectors(dim=2))
    assert np.abs(values(single, "following")).max() < 0.5
    assert np.allclose(values(group, "following"), 1, atol=1e-12)


class Reversed(nn.Module):
    """Codes (F, 2, 2) of vectors (F,): factor f is in channel F - 1 - f, the same at every place."""

    def encode(self, x: Tensor) -> Tensor:
        return x.flip(1)[:, :, None, None].repeat(1, 1, 2, 2)

    def decode(self, z: Tensor) -> Tensor:
        return z.mean((2, 3)).flip(1)


def test_factors_name_whole_channels_of_a_map() -> None:
    data, opposite = ClassGrid(5, 4, 6), np.eye(3)[::-1]
    read = measured(Inference(labels=[60], num_test=40, max_pairs=30), Reversed(), data)
    assert np.array_equal(values(read, "named"), opposite)
    named, _, random = values(read, "accuracy")[:, :, 0].T
    assert named.min() > 0.9
    assert random.min() < 0.6
    exchanged = measured(Interchange(num_pairs=50, max_pairs=30), Reversed(), data)
    assert np.array_equal(values(exchanged, "named"), opposite)
    assert exchanged.scores["mean_cause"] == exchanged.scores["mean_isolation"] == 1
    given = measured(Interchange(num_pairs=50, max_pairs=30, latents={"a": [2]}), Reversed(), data)
    assert given.scores == exchanged.scores


class Spread(SpaceToDepth):
    """Space to depth with a posterior, and so with a prior."""

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.encode(x)
        return z, torch.full_like(z, 0.5)


@pytest.mark.parametrize("latents", ["auto", [0, 9]])
def test_map_of_two_places_of_a_code(latents: str | list[int]) -> None:
    settings = ResponseMap(latents=latents, resolution=6, num_samples=64, decoded=0, num_posterior=0)
    result = measured(settings, Spread(), Noise())
    rows = values(result, "latents")[0].tolist() if latents != "auto" else list(range(16))
    assert values(result).shape == (len(rows), 16)
    assert (values(result)[:, rows].diagonal() > 0.5).all()
    assert not (values(result) - np.eye(16)[rows] * values(result)).any()
    assert not values(result, "magnitude_full").any()


@pytest.mark.parametrize("name", ["response_map", "manifold", "generation"])
def test_assay_of_the_prior_refuses_codes_without_one(name: str) -> None:
    with pytest.raises(ValueError, match=r"no prior of codes \(4, 2, 2\) of a model without posterior"):
        measured(settings_of(name)(), SpaceToDepth(), Noise())

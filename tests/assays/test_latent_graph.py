from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.latent_graph import assay as latent_graph
from lrx.assays.latent_graph.assay import Settings, edges
from lrx.assays.response_matrix import assay as response_matrix
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult
from lrx.responses.measurement import measurement
from tests.support.models_for_tests import Ignoring, Noisy, Vectors, values
from tests.support.models_for_tests import one_thread as one_thread

SETTINGS: dict[str, Any] = {
    "base": "prior",
    "num_samples": 2000,
    "informative": 0.5,
    "bidirectional": 0.1,
    "unidirectional": 0.5,
    "significant": 2,
    "num_replicates": 300,
    "batch_size": 512,
}
NONE = math.sqrt(2)  # the response matrix of z -> A z on the scale `none` is sqrt(2) |A|^T


class Answering(Noisy):
    """h(z) = A z with a given response matrix on the scale `none`."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__(matrix.T.double() / NONE, std=1e-3)


class Saturating(Answering):
    """Nonlinear model, whose squared changes have other moments."""

    def decode(self, z: Tensor) -> Tensor:
        return torch.tanh(z @ self.matrix.T)


def responses(latents: int, **entries: float) -> Tensor:
    """Return the responses of an identity, and further ones: z0_1=0.3 is the response of latent 1 to latent 0."""
    matrix = NONE * torch.eye(latents, dtype=torch.float64)
    for name, value in entries.items():
        j, k = name.removeprefix("z").split("_")
        matrix[int(j), int(k)] = value
    return matrix


def assay(model: nn.Module, seed: int = 0, data: Vectors | None = None, **settings: Any) -> AssayResult:
    progress = settings.pop("progress", None)
    generator = torch.Generator().manual_seed(seed)
    return run_assay(Settings(**{**SETTINGS, **settings}), model, data or Vectors(), generator, progress=progress)


def half(matrix: Tensor) -> np.ndarray:
    """Return a matrix of the scale `none` on the scale `half`, on which results store it."""
    return matrix.numpy() / NONE


def test_edges_of_linear_autoencoder() -> None:
    # 0 -> 1 one way; 1, 2 weakly both ways; 0, 2 strong one way and weak the other: both ways; 2 -> 3 too weak
    matrix = responses(5, z0_1=0.9, z1_0=0.02, z1_2=0.2, z2_1=0.3, z0_2=1.0, z2_0=0.3, z2_3=0.4)
    matrix[4, 4] = 0.3  # not informative, whatever it moves
    matrix[4, 0] = 2.0
    result = assay(Answering(matrix), data=Vectors(dim=5))
    assert (np.abs(values(result) - half(matrix)) <= 4.5 * values(result, "matrix_se") + 1e-12).all()
    expected = np.zeros((5, 5), dtype=np.uint8)
    expected[0, 1] = 1
    expected[[1, 2, 0, 2], [2, 1, 2, 0]] = 2
    assert values(result, "edge").dtype == np.uint8
    assert np.array_equal(values(result, "edge"), expected)
    assert values(result, "informative").tolist() == [1, 1, 1, 1, 0]
    assert [result.scores[f"num_{kind}"] for kind in ("informative", "unidirectional", "bidirectional")] == [4, 1, 2]
    assert (values(result, "stability")[expected > 0] == 1).all()
    assert np.diag(values(result, "stability")).tolist() == [1, 1, 1, 1, 0]
    assert result.scores["mean_stability"] == 1
    assert result.scores["num_unidirectional_se"] == result.scores["num_bidirectional_se"] == 0


def test_identity_has_nodes_and_no_edges() -> None:
    result = assay(Answering(responses(3)))
    assert result.scores["num_informative"] == 3
    assert not values(result, "edge").any()
    assert np.array_equal(values(result, "stability"), np.eye(3))
    assert math.isnan(result.scores["mean_stability"])


def test_nodes_are_informative_latents() -> None:
    _, node = edges(torch.diag(torch.tensor([0.51, 0.49, 2.0])), torch.full((3, 3), 0.4), Settings())
    assert node.tolist() == [True, False, True]  # however large the errors: those are for edges


def test_remark_where_no_latent_is_informative() -> None:
    result = assay(Ignoring(torch.eye(3)))
    assert str(result.settings["remark"]).startswith("no latent is informative, that is M_jj > 0.5")
    assert assay(Answering(responses(3))).settings["remark"] is None


def test_constant_decoder_has_no_nodes() -> None:
    result = assay(Answering(torch.zeros(3, 3)), informative=0)
    for name in ("matrix", "matrix_se", "edge", "informative", "stability"):
        assert not values(result, name).any()
    assert result.scores["num_informative"] == result.scores["num_informative_se"] == 0


def test_response_of_one_draw_is_not_significant() -> None:
    matrix = torch.tensor([[1.4, 0.6], [0.0, 1.4]]).double()
    for error, kind in ((0.29, 1), (0.31, 0)):
        edge, node = edges(matrix, torch.full((2, 2), error).double(), Settings())
        assert edge.tolist() == [[0, kind], [0, 0]]
        assert node.tolist() == [True, True]


def test_matrix_equals_response_matrix() -> None:
    model = Saturating(responses(3, z0_1=0.7, z1_2=0.3))
    for base in ("prior", "posterior"):
        result = assay(model, base=base)
        settings = response_matrix.Settings(
            base=base, num_samples=2000, draws="independent", max_samples=2000, batch_size=100
        )
        other = run_assay(settings, model, Vectors(), torch.Generator().manual_seed(0))
        for name in ("matrix", "matrix_se"):
            assert np.allclose(values(result, name), other.arrays[name].values, rtol=1e-12)
            assert result.arrays[name].description == other.arrays[name].description


def test_seed_determines_result_batch_size_does_not() -> None:
    model = Answering(responses(3, z0_1=0.5, z1_2=0.7, z2_1=0.1))
    first, second, other = assay(model, batch_size=None), assay(model, batch_size=37), assay(model, seed=1)
    for name in ("matrix", "matrix_se", "stability"):
        assert np.allclose(values(first, name), values(second, name), rtol=1e-10)
        assert not np.array_equal(values(first, name), values(other, name))


def test_smallest_model_and_data() -> None:
    result = assay(Answering(responses(1)), data=Vectors(1, 1), num_samples=8)
    assert values(result, "edge").tolist() == [[0]]
    assert np.isfinite(values(result, "matrix_se")).all()
    with pytest.raises(ValueError, match="takes values from other images"):
        assay(Answering(responses(1)), data=Vectors(1, 1), base="posterior")


def test_256_latents() -> None:
    calls: list[tuple[int, int]] = []
    result = assay(
        Answering(responses(256, z3_200=1.0)),
        data=Vectors(10, 256),
        num_samples=300,
        num_replicates=70,
        batch_size=None,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert np.argwhere(values(result, "edge")).tolist() == [[3, 200]]
    assert calls[-1] == (300 * 257, 300 * 257)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base": "foo"}, "base must be one of auto, prior, posterior, posterior_sample, not 'foo'"),
        ({"num_samples": 7}, "num_samples must be null or a whole number of at least 8, not 7"),
        ({"num_samples": 10.0}, "num_samples must be null or a whole number of at least 8, not 10.0"),
        ({"num_samples": 1000, "base": "posterior"}, "at least 1024 .8 blocks of draws from data., not 1000"),
        ({"informative": -0.1}, "informative must be a number of at least 0, not -0.1"),
        ({"bidirectional": math.nan}, "bidirectional must be a number of at least 0, not nan"),
        ({"unidirectional": "0.5"}, "unidirectional must be a number of at least 0, not '0.5'"),
        ({"significant": True}, "significant must be a number of at least 0, not True"),
        ({"num_replicates": 1}, "num_replicates must be a whole number of at least 2, not 1"),
        ({"batch_size": 0}, "batch_size must be null or a whole number of at least 1, not 0"),
    ],
)
def test_settings_are_checked(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        assay(Answering(responses(3)), **settings)


def test_shared_matrix_is_used_without_responses() -> None:
    class Counting(Answering):
        decoded = 0

        def decode(self, z: Tensor) -> Tensor:
            self.decoded += len(z)
            return super().decode(z)

    model = Counting(responses(3, z0_1=0.9, z1_2=0.2, z2_1=0.3))
    m = measurement(model, Vectors(), torch.Generator().manual_seed(0))
    shared = response_matrix.estimate(m, response_matrix.Settings(num_samples=512), num_groups=128)
    decoded = model.decoded
    result = latent_graph.measure(dataclasses.replace(m, matrix=shared), Settings(num_samples=None))
    assert model.decoded == decoded
    assert (result.settings["num_samples"], result.settings["num_groups"]) == (512, 32)
    assert np.array_equal(values(result), shared.on_scale("half")[0])
    assert values(result, "edge").tolist() == [[0, 1, 0], [0, 0, 2], [0, 2, 0]]
    few = response_matrix.estimate(m, response_matrix.Settings(num_samples=4), num_groups=128)
    remark = latent_graph.measure(dataclasses.replace(m, matrix=few), Settings(num_samples=None)).settings["remark"]
    assert remark == "stability and errors rest on 4 groups of draws, and 8 or more are needed"
    own = latent_graph.measure(dataclasses.replace(m, matrix=shared), Settings(num_samples=None, base="posterior"))
    assert own.settings["num_samples"] == 4096

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.factor_inference.assay import Settings, mean_and_se_of_repeats, probe_accuracy
from lrx.assays.run import run_assay
from lrx.core.factors import FactorSpace
from lrx.core.types import AssayResult
from lrx.responses.conditioned import named
from tests.support.models_for_tests import one_thread as one_thread

SETTINGS: dict[str, Any] = {
    "labels": [100, 400],
    "num_test": 200,
    "repeats": 3,
    "threshold": 0.5,
    "num_groups": 5,
    "max_pairs": 6,
    "batch_size": 512,
}


class Classes:
    """Vectors that are the classes of their factors."""

    name, source, fingerprint = "classes", "made in the test", "0"

    def __init__(self, *sizes: int) -> None:
        self.factors = FactorSpace(tuple(f"f{i}" for i in range(len(sizes))), sizes)
        self.observation_shape = (len(sizes),)

    def __len__(self) -> int:
        return self.factors.num_points

    def raw(self, indices: Tensor) -> Tensor:
        return self.factors.classes(indices).double()


class Mixed(nn.Module):
    """z = A x; the decoder undoes it, so that h is the identity on codes."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix.double())

    def encode(self, x: Tensor) -> Tensor:
        return x @ self.matrix.T

    def decode(self, z: Tensor) -> Tensor:
        return z @ torch.linalg.inv(self.matrix).T


def assay(model: nn.Module, data: Classes, seed: int = 0, **settings: Any) -> AssayResult:
    chosen = Settings(**{**SETTINGS, **settings})
    result = run_assay(chosen, model, data, torch.Generator().manual_seed(seed))
    assert isinstance(result, AssayResult)
    return result


def test_one_latent_per_factor() -> None:
    order = torch.eye(4)[[2, 0, 3, 1]]  # latent i is factor (2, 0, 3, 1)[i]
    data = Classes(4, 6, 5, 7)
    result = assay(Mixed(order), data, labels=[100], max_pairs=42)
    assert result.arrays["named"].values.tolist() == order.T.tolist()
    accuracy = result.arrays["accuracy"].values[:, :, 0]
    assert (accuracy[:, 0] >= 0.995).all(), accuracy
    assert (accuracy[:, 1] > 0.9).all(), accuracy
    assert result.scores["accuracy_random_100"] < 0.8
    assert result.scores["accuracy_named_100"] == pytest.approx(accuracy[:, 0].mean())
    assert result.scores["num_named"] == 1
    expected = [np.sqrt(size * (size + 1) / 6) for size in data.factors.sizes]  # of two different classes
    assert np.allclose(result.arrays["response"].values.max(1), expected)
    assert np.allclose(result.arrays["response_se"].values, 0)


def test_distributed_factor_needs_all_latents() -> None:
    turned = torch.tensor([[1.0, 1.0], [1.0, -0.3]])
    result = assay(Mixed(turned), Classes(9, 9), labels=[54], num_test=27)
    assert result.arrays["named"].values.tolist() == [[1, 1], [1, 0]]
    accuracy = result.arrays["accuracy"].values[:, :, -1]
    assert accuracy[1, 0] < accuracy[1, 1] - 0.2
    assert accuracy[0, 0] == accuracy[0, 1] == accuracy[0, 2]  # all, by any name


def test_factor_without_response_names_nothing() -> None:
    class Deaf(Mixed):
        def encode(self, x: Tensor) -> Tensor:
            return torch.stack([x[:, 0], torch.zeros_like(x[:, 0])], dim=1)

    result = assay(Deaf(torch.eye(2)), Classes(20, 5), labels=[60], num_test=30)
    assert result.arrays["named"].values.tolist() == [[1, 0], [0, 0]]
    accuracy = result.arrays["accuracy"].values[:, :, 0]
    assert np.isnan(accuracy[1]).tolist() == [True, False, True]
    assert abs(accuracy[1, 1] - 0.2) < 0.2  # guessing
    assert result.scores["accuracy_named_60"] == pytest.approx(accuracy[0, 0])


def test_named_by_share_of_largest() -> None:
    response = torch.tensor([[1.0, 0.5, 0.49], [0.0, 0.0, 0.0], [0.0, 2.0, 0.9]])
    assert named(response, 0.5).tolist() == [[True, True, False], [False] * 3, [False, True, False]]
    assert named(response, 1.0).sum(1).tolist() == [1, 0, 1]


def test_probe_of_one_class() -> None:
    codes, classes = np.arange(8.0)[:, None], np.array([1, 1, 1, 1, 1, 1, 0, 1])
    assert probe_accuracy(codes, classes, 4, 2) == 0.5


def test_small_data_set_and_errors_over_repeats() -> None:
    result = assay(Mixed(torch.eye(2)), Classes(4, 3), labels=[5, 100, 1000])
    assert result.settings["num_test"] == 4
    assert result.coordinates["labels"].tolist() == [5, 8]
    assert result.settings["disjoint"] is False
    large = assay(Mixed(torch.eye(2)), Classes(40, 40))
    assert large.settings["disjoint"] is False  # 3 x 600 images of 1,600
    assert assay(Mixed(torch.eye(2)), Classes(40, 40), repeats=2).settings["disjoint"] is True
    assert (large.arrays["accuracy_se"].values > 0).any()
    one = assay(Mixed(torch.eye(2)), Classes(4, 3), repeats=1)
    assert np.isnan(one.arrays["accuracy_se"].values).all()


def test_same_for_any_batch_size() -> None:
    model, data = Mixed(torch.tensor([[1.0, 0.4], [-0.2, 1.0]])), Classes(12, 8)
    first, again = assay(model, data), assay(model, data, batch_size=7)
    for name, array in first.arrays.items():
        assert np.allclose(array.values, again.arrays[name].values, rtol=1e-9, equal_nan=True), name
    other = assay(model, data, seed=1)
    assert not np.array_equal(first.arrays["accuracy"].values, other.arrays["accuracy"].values)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": []}, "labels must be whole numbers of at least 2, as in [100, 1000], not []"),
        ({"labels": 100}, "labels must be whole numbers of at least 2, as in [100, 1000], not 100"),
        ({"labels": [1]}, "labels must be whole numbers of at least 2, as in [100, 1000], not [1]"),
        ({"repeats": 0}, "repeats must be a whole number of at least 1, not 0"),
        ({"threshold": 0}, "threshold must be a number above 0 and up to 1, not 0"),
        ({"max_pairs": 1}, "max_pairs must be a whole number of at least 2, not 1"),
        ({"batch_size": 0}, "batch_size must be null or a whole number of at least 1, not 0"),
    ],
)
def test_settings_are_checked(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        assay(Mixed(torch.eye(2)), Classes(4, 3), **settings)
    assert message in str(error.value)


def test_needs_varying_factors() -> None:
    with pytest.raises(ValueError, match="needs a factor of two values or more, classes has none"):
        assay(Mixed(torch.eye(2)), Classes(1, 1))
    with pytest.raises(ValueError, match="needs 4 images or more, and classes has 2"):
        assay(Mixed(torch.eye(2)), Classes(2, 1))


def test_error_of_repeats_that_share_images_covers() -> None:
    """Images are right or wrong by lot: 10 repeats on 20 of the same 60 vary less than other 60 images would."""
    random, found = np.random.default_rng(0), []
    for _ in range(300):
        right = random.random(60) < 0.5
        repeats = np.array([random.permutation(right)[:20].mean() for _ in range(10)])
        found.append(mean_and_se_of_repeats(repeats, 20 / 40))
    means, errors = np.array(found).T
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(means.std(), rel=0.1)
    assert mean_and_se_of_repeats(np.array([0.0, 1.0]), 0.0)[1] == pytest.approx(0.5)

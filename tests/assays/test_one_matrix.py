"""One response matrix in `assay=paper`: measured once, the same numbers in every assay that stores it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from lrx.assays import catalog
from lrx.assays.paper.assay import OVERRIDES, Settings
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult
from tests.support.models_for_tests import Linear, Vectors, values
from tests.support.models_for_tests import one_thread as one_thread

NAMES = ("response_matrix", "latent_graph", "traversal", "response_map")
A = torch.tensor([[0.9, 0.0, 0.3], [-0.2, 0.3, 0.0], [0.0, 0.5, -0.7]], dtype=torch.float64)
SIZES = {
    "response_matrix": {"num_samples": 64},
    "latent_graph": {"num_replicates": 20},
    "traversal": {"latents": "all", "images": 2, "steps": 5},
    "response_map": {"resolution": 7, "num_posterior": 9, "decoded": 2},
}
DRAWS = 64 * (3 + 1)  # responses of the matrix
OTHERS = {"response_matrix": 0, "latent_graph": 0, "traversal": 2 * (2 * 3 * 5) + 2 + 2, "response_map": 49 + 4}


class Counting(Linear):
    """Counts what it decodes."""

    decoded = 0

    def decode(self, z: Tensor) -> Tensor:
        self.decoded += len(z)
        return super().decode(z)


def paper(only: list[str], model: Counting, **settings: object) -> dict[str, AssayResult]:
    """Run assays of the paper with its overrides; settings are further ones of `response_matrix`."""
    sizes = SIZES | {"response_matrix": SIZES["response_matrix"] | settings}
    assays = {name: catalog.settings_of(name)(**(OVERRIDES.get(name, {}) | sizes[name])) for name in NAMES}
    return dict(run_assay(Settings(only=only, assays=assays), model, Vectors(80), torch.Generator().manual_seed(0)))


def diagonals(results: dict[str, AssayResult]) -> dict[str, np.ndarray]:
    """Return the response of each latent to itself, as each assay stores it."""
    by_assay = {name: np.diagonal(values(result)) for name, result in results.items() if "matrix" in result.arrays}
    if "traversal" in results:
        order = np.argsort(results["traversal"].coordinates["latent"])
        by_assay["traversal"] = values(results["traversal"], "self_response")[order]
    return by_assay


def test_all_assays_store_the_same_diagonal() -> None:
    own = diagonals(paper([*NAMES], Counting(A)))
    assert own.keys() == set(NAMES)
    for name, diagonal in own.items():
        assert np.array_equal(diagonal, own["response_matrix"]), name


def test_matrix_of_another_base_is_not_shared() -> None:
    own = diagonals(paper([*NAMES], Counting(A), base="posterior"))
    assert not [name for name in NAMES[1:] if np.array_equal(own[name], own["response_matrix"])]


def test_matrix_and_errors_are_equal_in_all_assays() -> None:
    results = paper([*NAMES], Counting(A))
    for name in ("latent_graph", "response_map"):
        for array in ("matrix", "matrix_se"):
            assert np.array_equal(values(results[name], array), values(results["response_matrix"], array))
            assert results[name].arrays[array].description == results["response_matrix"].arrays[array].description


def test_other_assays_stay_on_scale_half() -> None:
    results = paper([*NAMES], Counting(A), normalization="std")
    half = paper([*NAMES], Counting(A))
    for name in ("latent_graph", "traversal", "response_map"):
        assert np.array_equal(diagonals(results)[name], diagonals(half)[name])
    assert not np.array_equal(diagonals(results)["response_matrix"], diagonals(half)["response_matrix"])


@pytest.mark.parametrize("only", [[*NAMES], [*reversed(NAMES)], ["latent_graph", "traversal"], ["response_map"]])
def test_matrix_is_measured_once(only: list[str]) -> None:
    model = Counting(A)
    results = paper(only, model)
    assert list(results) == only
    assert model.decoded == DRAWS + sum(OTHERS[name] for name in only)
    own = diagonals(results)
    assert all(np.array_equal(diagonal, own[only[0]]) for diagonal in own.values())

"""Answers of results with known matrices: ranks, what counts, which result is read, and files that hold anything."""

from __future__ import annotations

import numpy as np
import pytest

from lrx.assays import answers
from lrx.assays.answers import Answer
from lrx.core.types import Array, AssayResult

FACTORS = ("factor", "latent")
LATENTS = ("intervened", "responding")


def result(
    values: object,
    se: object = None,
    axes: tuple[str, str] = FACTORS,
    name: str = "matrix",
    unit: object = None,
    **settings: str | float,
) -> AssayResult:
    matrix = np.array(values, dtype=np.float64)
    arrays = {name: Array(matrix, axes)}
    if se is not None:
        arrays[f"{name}_se"] = Array(np.broadcast_to(np.array(se, dtype=np.float64), matrix.shape), axes)
    if unit is not None:
        arrays["unit"] = Array(np.array(unit), ("latent",))
    labels = {"factor": np.array(["position_x", "shape"])} if axes == FACTORS else {}
    return AssayResult(arrays, labels, {}, settings)


def names(found: answers.Answers) -> dict[str, list[str]]:
    return {name: [answer.name for answer in entries] for name, entries in found.items()}


def test_latents_are_ranked() -> None:
    assays = {"conditioned_response": result([[0.41, 0.05, 1.28], [0.2, 0.9, 0.05]], 0.02, threshold=0.1)}
    assert answers.factor_answers(assays) == {
        "position x": [Answer("latent 2", 1.28, 0.02), Answer("latent 0", 0.41, 0.02)],
        "shape": [Answer("latent 1", 0.9, 0.02), Answer("latent 0", 0.2, 0.02)],
    }
    assert names(answers.latent_answers(assays)) == {
        "latent 0": ["position x", "shape"],
        "latent 1": ["shape"],
        "latent 2": ["position x"],
    }


def test_response_within_error_is_none() -> None:
    assays = {"conditioned_response": result([[0.5, 0.5], [0.5, 0.05]], [[0.3, 0.2], [np.nan, 0.001]])}
    assert names(answers.factor_answers(assays)) == {"position x": ["latent 1"], "shape": ["latent 0"]}


def test_threshold_is_that_of_the_result() -> None:
    assays = {"conditioned_response": result([[0.5, 0.3], [0.1, 0.2]], 0.01, threshold=0.4)}
    assert names(answers.factor_answers(assays)) == {"position x": ["latent 0"], "shape": []}
    of_probe = {"factor_inference": result([[0.5, 0.3], [0.1, 0.2]], 0.01, name="response", threshold=0.5)}
    assert names(answers.factor_answers(of_probe)) == {"position x": ["latent 0", "latent 1"], "shape": ["latent 1"]}


def test_threshold_counts_in_units() -> None:
    assays = {"conditioned_response": result([[0.5, 0.5], [0.05, 0.05]], 0.001, unit=[10.0, 0.1], threshold=0.1)}
    assert names(answers.factor_answers(assays)) == {"position x": ["latent 1"], "shape": ["latent 1"]}
    assert names(answers.latent_answers(assays)) == {"latent 0": [], "latent 1": ["position x", "shape"]}


def test_latent_does_not_move_itself() -> None:
    graph = result([[1, 0.3], [0.05, 1]], 0.01, LATENTS)
    assert names(answers.moved_latents({"latent_graph": graph})) == {"latent 0": ["latent 1"], "latent 1": []}
    walks = AssayResult({"answer": Array(np.array([[0.2, 0.9, 0.4]]), ("latent", "unit"))}, {"latent": np.array([1])})
    assert names(answers.moved_latents({"traversal": walks})) == {"latent 1": ["latent 2", "latent 0"]}


def test_response_matrix_comes_first() -> None:
    first, second = (result([[1, value], [value, 1]], 0.01, LATENTS) for value in (0.05, 0.5))
    found = answers.moved_latents({"latent_graph": second, "response_matrix": first})
    assert names(found) == {"latent 0": [], "latent 1": []}


def test_units_have_their_names() -> None:
    found = answers.moved_latents({"response_matrix": result([[1, 0.3], [0.4, 1]], 0.01, LATENTS, units="channel")})
    assert names(found) == {"channel 0": ["channel 1"], "channel 1": ["channel 0"]}


@pytest.mark.parametrize(
    "odd",
    [
        AssayResult({"matrix": Array(np.array([["a", "b"]]), FACTORS)}, {}),
        AssayResult({"matrix": Array(np.ones((2, 2)), FACTORS)}, {"factor": np.array(["a"])}),
        AssayResult({}, {}),
    ],
)
def test_odd_arrays_answer_nothing(odd: AssayResult) -> None:
    assays = {"conditioned_response": odd}
    assert not answers.factor_answers(assays)
    assert not answers.latent_answers(assays)
    assert not answers.moved_latents(assays)

"""Sentences of assays: numbers of made results, doubts, and results of other versions or of foreign assays."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lrx.assays import summary
from lrx.core.types import Array, AssayResult

AXES = ("intervened", "responding")


def matrix_result(
    matrix: list[list[float]], informative: list[int], **settings: str | float | bool | None
) -> AssayResult:
    values = np.array(matrix)
    return AssayResult(
        arrays={
            "matrix": Array(values, AXES, "latent"),
            "matrix_se": Array(values / 10, AXES, "latent"),
            "informative": Array(np.array(informative, np.uint8), AXES[1:], "1", "1 where informative: M_jj > 0.5"),
        },
        coordinates=dict.fromkeys(AXES, np.arange(len(values))),
        scores={"num_informative": float(sum(informative)), "largest_se": 0.09},
        settings={"normalization": "half", **settings},
    )


def test_response_matrix_names_latents_and_what_they_drag() -> None:
    matrix = [[0.8, 0.1, 0.0], [0.2, 0.9, 0.3], [0.7, 0.7, 0.01]]  # the last responds to nothing of its own
    said = summary.summarize("response_matrix", matrix_result(matrix, [1, 1, 0]))
    assert said.sentence == (
        "2 of 3 latents respond to themselves when they are set (M_jj > 0.5): 1, 0; what one drags along is at most "
        "0.300 ± 0.030, latent 2 by latent 1, whose own response is 0.900 ± 0.090."
    )
    assert said.doubts == ()


def test_response_matrix_without_responses() -> None:
    said = summary.summarize("response_matrix", matrix_result([[0.1, 0.0], [0.0, 0.1]], [0, 0]))
    assert said.sentence == "None of 2 latents responds to itself when it is set (M_jj > 0.5)."


def test_missed_target_is_doubted() -> None:
    result = matrix_result([[0.8]], [1], target_reached=False, target_se=0.01)
    said = summary.summarize("response_matrix", result)
    assert said.sentence == "1 of 1 latents responds to itself when it is set (M_jj > 0.5): 0."
    assert said.doubts == ("The largest standard error, 0.09, is above target_se=0.01.",)
    result = matrix_result([[0.8]], [1], target_reached=False, target_se=None, target_relative_se=0.02)
    (doubt,) = summary.summarize("response_matrix", result).doubts
    assert doubt == "The largest standard error, 0.09, is above target_relative_se=0.02 of the largest response."


def test_walk_to_one_value_has_no_slope() -> None:
    result = AssayResult(
        arrays={"following": Array(np.full((2, 2), np.nan), ("image", "latent"))},
        coordinates={"latent": np.arange(2)},
        scores={"mean_following": np.nan},
    )
    assert summary.summarize("traversal", result).sentence.startswith("Responses to a single value have no slope")


def conditioned(uncovered: float) -> AssayResult:
    return AssayResult(
        arrays={
            "matrix": Array(np.array([[0.9, 0.0], [0.0, 0.05]]), ("factor", "latent")),
            "num_groups": Array(np.array([64, 8]), ("factor",)),
        },
        coordinates={"factor": np.array(["position_x", "scale"]), "latent": np.arange(2)},
        scores={"cds": 0.5, "cds_se": 0.012, "completeness": 1.0, "num_uncovered": uncovered},
        settings={"threshold": 0.1},
    )


def test_conditioned_response_names_uncovered_factors() -> None:
    said = summary.summarize("conditioned_response", conditioned(1.0))
    assert said.sentence == (
        "A latent gives 50.0 ± 1.2 % of its response to one of 2 factors (CDS; 50 % if to all alike), and a factor has "
        "100 % of its responses in one latent (completeness); no latent responds above 0.1 to scale."
    )
    assert said.doubts == ("Responses to scale rest on fewer than 10 groups of images.",)
    assert "each factor has a latent" in summary.summarize("conditioned_response", conditioned(0.0)).sentence


def test_uncovered_factors_are_those_in_units_of_latents() -> None:
    result = conditioned(1.0)  # in units 0.9 and 5
    result = dataclasses.replace(result, arrays={**result.arrays, "unit": Array(np.array([1.0, 0.01]), ("latent",))})
    assert "no latent responds above 0.1 to position x" in summary.summarize("conditioned_response", result).sentence


def distances(refined: float, accuracy: float) -> AssayResult:
    known = {"prior": 4.0, "posterior": 1.0, "data": 0.5, "refined": refined}
    scores = {f"frechet_{name}": value for name, value in known.items()}
    scores |= {f"frechet_{name}_se": 0.1 for name in known} | {"probe_accuracy": accuracy}
    return AssayResult(arrays={"mean_u": Array(np.ones(4), ("source",))}, coordinates={}, scores=scores)


@pytest.mark.parametrize(
    ("refined", "effect"), [(2.0, "brings them nearer"), (6.0, "takes them further away"), (4.2, "changes little")]
)
def test_generation_compares_beyond_errors(refined: float, effect: str) -> None:
    assert effect in summary.summarize("generation", distances(refined, 0.9)).sentence


def test_weak_probe_is_doubted() -> None:
    assert summary.summarize("generation", distances(2.0, 0.9)).doubts == ()
    (doubt,) = summary.summarize("generation", distances(2.0, 0.45)).doubts
    assert "right in 45 % of images" in doubt


@pytest.mark.parametrize(
    ("mig", "factorvae", "verdict"),
    [(0.1, 0.3, "nearer to chance than to 1"), (0.6, 0.9, "nearer to 1 than to chance"), (0.6, 0.3, "disagree")],
)
def test_metrics_lie_between_chance_and_one(mig: float, factorvae: float, verdict: str) -> None:
    said = summary.summarize(
        "metrics",
        AssayResult(
            arrays={"code_std": Array(np.ones(2), ("latent",))},
            coordinates={"factor": np.array(["a", "b", "c", "d"])},
            scores={"mig": mig, "mig_se": 0.02, "factorvae": factorvae},
        ),
    )
    assert said.sentence.startswith(f"MIG {mig:.3f} ± 0.020; FactorVAE {factorvae} (chance 0.25)")
    assert verdict in said.sentence


def test_chance_of_votes_counts_classes_alone() -> None:
    result = AssayResult(
        arrays={"code_std": Array(np.ones(2), ("latent",))},
        coordinates={"factor": np.array(["shape", "x", "y", "on"])},
        scores={"factorvae": 0.6},
        settings={"continuous": "x, y"},
    )
    assert "FactorVAE 0.6 (chance 0.5): nearer to chance" in summary.summarize("metrics", result).sentence


def test_missing_array_leaves_main_scores() -> None:
    bare = AssayResult(
        arrays={"matrix": Array(np.ones(3), ("latent",))}, coordinates={}, scores={"num_informative": 2.0}
    )
    assert summary.summarize("response_matrix", bare).sentence == "Num informative 2."


def test_foreign_assay_says_nothing() -> None:
    result = AssayResult(arrays={"x": Array(np.ones(3), ("latent",))}, coordinates={}, scores={"mine": 1.0})
    assert summary.summarize("of_mine", result) == summary.Summary("")


def test_difference_in_standard_errors() -> None:
    result = AssayResult({}, {}, {"a": 3.0, "a_se": 0.3, "b": 1.0, "b_se": 0.4, "c": 1.0})
    assert summary.difference(result, "a", "b") == pytest.approx(4.0)  # 2 / sqrt(.09 + .16)
    assert summary.difference(AssayResult({}, {}, {"a": 1.0, "b": 2.0}), "a", "b") == -np.inf
    assert summary.difference(result, "b", "b") == 0.0

"""Findings of a run: sentences on several assays, doubts, and which of them stand first."""

from __future__ import annotations

import numpy as np
import pytest

from lrx.core.types import Array, AssayResult
from lrx.report import joint_rules
from lrx.report.findings import findings
from tests.assays.test_summary import conditioned, distances, matrix_result

VARIES = {"num_active": 3.0}


def scored(**scores: float) -> AssayResult:
    return AssayResult({"x": Array(np.ones(1), ("latent",))}, {}, scores)


def with_scores(result: AssayResult, **scores: float) -> AssayResult:
    return AssayResult(result.arrays, result.coordinates, {**result.scores, **scores}, result.settings)


def test_headlines_stand_before_other_assays() -> None:
    assays = {"generation": distances(2.0, 0.9), "response_matrix": matrix_result([[0.8]], [1])}
    found = findings(assays, [])
    assert [finding.assays for finding in found.found] == [("response_matrix",)]
    assert [finding.assays for finding in found.others] == [("generation",)]
    alone = findings({"generation": distances(2.0, 0.9)}, [])
    assert [finding.assays for finding in alone.found] == [("generation",)]
    assert alone.others == []


def test_remark_is_a_doubt() -> None:
    result = matrix_result([[0.1]], [0], remark="no latent is informative")
    (doubt,) = findings({"response_matrix": result}, []).doubtful
    assert doubt.text == "Latent response matrix: no latent is informative."


def test_latents_that_vary_and_do_not_respond() -> None:
    matrix = with_scores(matrix_result([[0.8, 0], [0, 0.1]], [1, 0]), num_active=2.0)
    text = findings({"response_matrix": matrix}, []).together[0].text
    assert text == (
        "2 latents vary between images and 1 respond to themselves: 1 of those that vary are not read back when they "
        "are set."
    )


@pytest.mark.parametrize(
    ("cds", "mig", "verdict"),
    [(0.2, 0.1, "agree that latents mix"), (0.9, 0.7, "agree that latents are apart"), (0.9, 0.1, "disagree")],
)
def test_responses_and_codes_are_compared(cds: float, mig: float, verdict: str) -> None:
    assays = {"conditioned_response": with_scores(conditioned(0.0), cds_corrected=cds), "metrics": scored(mig=mig)}
    (said,) = [finding for finding in findings(assays, []).together if "metrics" in finding.assays]
    assert verdict in said.text
    assert f"corrected CDS {cds}, MIG {mig}" in said.text


def test_draws_unlike_codes() -> None:
    manifold = scored(holes_by_magnitude=0.25)
    said = joint_rules.draws_and_codes(manifold, distances(2.0, 0.9))
    assert said == (
        "Draws from the prior are unlike codes: decoded, they are 4 times as far from images; "
        "25 % of the prior are holes."
    )


def test_cds_of_few_latents_is_doubted() -> None:
    assays = {"response_matrix": matrix_result([[0.8]], [1]), "conditioned_response": conditioned(0.0)}
    doubts = [finding.text for finding in findings(assays, []).doubtful]
    assert any(doubt.startswith("CDS rewards few latents, and 1 respond") for doubt in doubts)


def test_results_of_other_kinds_say_nothing() -> None:
    said = findings({"manifold": scored(), "generation": scored(), "metrics": scored(mig=0.1)}, [])
    assert said.together == []


def log(slope: float, rows: int = 200) -> list[dict[str, float]]:
    noise = np.random.default_rng(0).normal(size=rows)
    return [{"step": float(step), "loss": 100 - slope * step + noise[step]} for step in range(rows)]


def test_falling_loss_is_doubted() -> None:
    said = joint_rules.still_falling(log(0.2))
    assert said.startswith("Training had not converged: in its last tenth the loss fell by 4.")  # 20 rows of 0.2
    assert joint_rules.still_falling(log(0.0)) == ""
    assert joint_rules.still_falling(log(-0.2)) == ""
    assert joint_rules.still_falling(log(0.2)[:20]) == ""  # a tenth of so few rows has no error

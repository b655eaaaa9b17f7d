"""Estimates over seeds: aligned copies of one model, known variance between seeds, and what cannot be aligned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lrx.core.types import Array, AssayResult
from lrx.runs.over_seeds import Model, OverSeeds, estimate, summarize

N, D, F = 200, 5, 3
RANDOM = np.random.default_rng(0)
CODES_ND, MATRIX_DD, CONDITIONED_FD = (RANDOM.random(shape) for shape in ((N, D), (D, D), (F, D)))
KL_D = RANDOM.random(D)


def model(seed: int, order: np.ndarray, *, codes: bool = True, remark: str | None = None) -> Model:
    """A copy of one model with its latents in another order, and codes of other signs."""
    sign = np.random.default_rng(seed).choice([-1.0, 1.0], D)
    latents, factors = np.arange(D), np.array(["shape", "size", "x"])
    assays = {
        "response_matrix": AssayResult(
            {
                "matrix": Array(MATRIX_DD[np.ix_(order, order)], ("intervened", "responding"), "latent", "responses"),
                "matrix_se": Array(np.full((D, D), 0.1), ("intervened", "responding"), "latent", "its error"),
                "kl": Array(KL_D[order], ("responding",), "nat"),
            },
            {"intervened": latents, "responding": latents},
            {"num_informative": 3.0},
            {"remark": remark},
        ),
        "conditioned_response": AssayResult(
            {"matrix": Array(CONDITIONED_FD[:, order], ("factor", "latent"), "latent")},
            {"factor": factors, "latent": latents},
            {"cds": 0.5 + 0.1 * seed, "cds_se": 0.03},
        ),
    }
    if codes:
        stored = {
            "codes": Array(CODES_ND[:, order] * sign, ("image", "latent")),
            "active_by_kl": Array(np.ones(D, np.uint8), ("latent",)),
        }
        assays["codes"] = AssayResult(stored, {"image": np.arange(N), "latent": latents}, {})
    return Model(f"run-{seed}", seed, assays)


def copies(count: int = 4, *, codes: bool = True) -> list[Model]:
    random = np.random.default_rng(5)
    return [model(seed, np.arange(D) if seed == 0 else random.permutation(D), codes=codes) for seed in range(count)]


def summary(models: list[Model]) -> OverSeeds:
    found = summarize(models)
    assert found is not None
    return found


@pytest.mark.parametrize("codes", [True, False])
def test_permuted_copies_give_the_matrix_itself(codes: bool) -> None:
    over = summary(copies(codes=codes))
    assert over.alignment == ("codes of 200 images" if codes else "conditioned responses")
    assert over.reference == "run-0"
    assert over.agreement == pytest.approx(1)
    for key, expected in {
        ("response_matrix", "matrix"): MATRIX_DD,
        ("response_matrix", "kl"): KL_D,
        ("conditioned_response", "matrix"): CONDITIONED_FD,
    }.items():
        found = over.arrays[key][1]
        np.testing.assert_allclose(found.mean, expected, rtol=1e-12)
        np.testing.assert_allclose(found.se_between, 0, atol=1e-12)
    within = over.arrays["response_matrix", "matrix"][1].se_within
    np.testing.assert_allclose(within, 0.1 / 2)  # of four models
    assert np.isnan(over.arrays["response_matrix", "kl"][1].se_within).all()  # which has no error
    assert ("response_matrix", "matrix_se") not in over.arrays
    assert ("codes", "codes") not in over.arrays


def test_scores_have_both_errors() -> None:
    over = summary(copies(3))
    cds = over.scores["conditioned_response", "cds"]
    values = [0.5, 0.6, 0.7]
    assert cds.mean == pytest.approx(np.mean(values))
    assert cds.se_between == pytest.approx(np.std(values, ddof=1) / np.sqrt(3))
    assert cds.se_within == pytest.approx(0.03 / np.sqrt(3))
    assert cds.num_seeds == 3
    counted = over.scores["response_matrix", "num_informative"]
    assert (counted.mean, counted.se_between) == (3, 0)
    assert np.isnan(counted.se_within)
    assert ("conditioned_response", "cds_se") not in over.scores


def test_known_variance_between_seeds() -> None:
    """Models of spread 0.3 measured with error 0.1, 2,000 times: both errors have their known sizes on average."""
    random, seeds = np.random.default_rng(6), 6
    true = random.normal(0.5, 0.3, (seeds, 2000))
    found = estimate(true + random.normal(0, 0.1, true.shape), np.full(true.shape, 0.1))
    expected = (0.3**2 + 0.1**2) / seeds
    assert np.mean(found.se_between**2) == pytest.approx(expected, rel=0.05)
    assert np.var(found.mean) == pytest.approx(expected, rel=0.1)  # the error that it is: that of the mean
    np.testing.assert_allclose(found.se_within, 0.1 / np.sqrt(seeds))
    alike = estimate(0.5 + random.normal(0, 0.1, true.shape), np.full(true.shape, 0.1))  # models that do not differ
    assert np.mean(alike.se_between**2) == pytest.approx(np.mean(alike.se_within**2), rel=0.05)


def test_missing_scores_are_left_out_and_counted() -> None:
    found = estimate([1.0, np.nan, 3.0], [0.1, 0.1, np.nan])
    assert (found.mean, found.num_seeds) == (2, 2)
    assert np.isnan(found.se_within)
    none = estimate([np.nan, np.nan], [0.1, 0.1])
    assert np.isnan([none.mean, none.se_between, none.se_within]).all()
    assert none.num_seeds == 0
    assert np.isnan(estimate([1.0, np.nan], [0.1, 0.1]).se_between)


def test_one_model_a_seed_and_remarks() -> None:
    models = [model(0, np.arange(D)), model(1, np.arange(D), remark="dead"), model(1, np.arange(D))]
    models[2] = replace(models[2], run="again")
    over = summary(models)
    assert (over.runs, over.repeated) == (("run-0", "run-1"), ("again",))
    assert over.remarks == {"response_matrix": ("run-1",)}
    assert summarize(models[1:]) is None


def test_models_without_basis_are_not_aligned() -> None:
    models = copies(2, codes=False)
    del models[1].assays["conditioned_response"]  # type: ignore[attr-defined]
    over = summary(models)
    assert over.aligned is None
    assert over.alignment.startswith("not aligned, as not all have codes of the same images")
    assert (over.reference, dict(over.arrays)) == ("", {})
    assert over.scores["response_matrix", "num_informative"].mean == 3
    assert over.scores["conditioned_response", "cds"].num_seeds == 1


def test_codes_of_other_images_are_no_basis() -> None:
    models = copies(2)
    codes = models[1].assays["codes"]
    other = replace(codes, coordinates={**codes.coordinates, "image": np.arange(N) + 1})
    models[1] = replace(models[1], assays={**models[1].assays, "codes": other})
    assert summary(models).alignment == "conditioned responses"


def test_selected_latents_are_not_averaged() -> None:
    """Latents that an assay chose, by their numbers in each model, are others in the order of the reference."""
    walked = AssayResult({"own": Array(np.ones(2), ("latent",))}, {"latent": np.array([3, 1])}, {})
    models = [replace(one, assays={**one.assays, "traversal": walked}) for one in copies(2)]
    assert ("traversal", "own") not in summary(models).arrays


def test_axes_of_another_tool_are_passed_over() -> None:
    """Labels that cannot be compared, of an axis over which nothing is averaged, cost no other result."""
    models = [model(seed, np.roll(np.arange(D), seed)) for seed in range(3)]
    expected = summarize(models)
    ragged = np.array([np.arange(2), np.arange(3)], dtype=object)
    for one in models:
        dict.update(one.assays["response_matrix"].coordinates, {"theirs": ragged + one.seed})
    found = summarize(models)
    assert expected is not None
    assert found is not None
    assert found.arrays.keys() == expected.arrays.keys()
    assert "theirs" not in found.labels["response_matrix"]


def test_models_that_repeat_a_seed_are_left_out_though_equal() -> None:
    twice = [model(seed, np.arange(D)) for seed in (0, 1, 0)]
    found = summarize(twice)
    assert found is not None
    assert (len(found.runs), found.repeated) == (2, (twice[2].run,))

"""UDR: models that agree up to order, sign and scale have 1; what is independent has next to nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lrx.metrics import udr as module
from lrx.metrics.udr import agreement, udr

N, D = 4000, 6
# three latents whose ranks are exactly uncorrelated: the rows of an orthogonal array
ORTHOGONAL = np.tile([[0.0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]], (N // 4, 1))


def codes(seed: int, latents: int = D) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((N, latents))


def all_of(*models: np.ndarray) -> list[np.ndarray]:
    return [np.ones(model.shape[1], dtype=bool) for model in models]


def test_codes_equal_up_to_order_and_sign() -> None:
    one = ORTHOGONAL
    other = np.stack([-one[:, 2], np.exp(one[:, 0]), 3 * one[:, 1] + 1], axis=1)
    scores, partners = udr([one, other, one], all_of(one, other, one), [0, 1, 2])
    assert scores == pytest.approx([1.0, 1.0, 1.0], abs=1e-12)
    assert partners.tolist() == [2, 2, 2]


def test_correlations_in_pieces_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    models = [codes(seed, latents) + codes(9, latents) for seed, latents in enumerate((6, 4, 6, 1, 5, 6, 3))]
    seeds = [0, 1, 2, 1, 3, 4, 5]
    at_once, partners = udr(models, all_of(*models), seeds)
    assert partners.tolist() == [6, 5, 6, 5, 6, 6, 6]
    for pieces in (1, 2, 3):
        monkeypatch.setattr(module, "MOST_AT_ONCE", (pieces * D) ** 2)
        assert udr(models, all_of(*models), seeds)[0] == pytest.approx(at_once, abs=1e-12)


def test_independent_codes_score_next_to_nothing() -> None:
    models = [codes(seed) for seed in range(4)]
    scores, _ = udr(models, all_of(*models), range(4))
    assert (scores < 3 / math.sqrt(N)).all()  # |correlations| are of the order of 1 / sqrt(N)


def test_a_rotation_costs_what_the_formula_says() -> None:
    # R = [[c, s], [s, c]]: each of the four terms is c^2 / (c + s)
    angle = 0.3
    turned = np.array([[math.cos(angle), math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    expected = math.cos(angle) ** 2 / (math.cos(angle) + math.sin(angle))
    assert agreement(turned[:, None], np.array([4])) == pytest.approx(expected, abs=1e-12)


def test_the_mean_is_over_the_latents_of_both() -> None:
    # columns: 1, 1, 0.25 / 0.5 = 0.5; rows: 1 / 1.5, 1
    similarity = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]])
    assert agreement(similarity[:, None], np.array([5])) == pytest.approx((1 + 1 + 0.5 + 1 / 1.5 + 1) / 5, abs=1e-12)


def test_collapsed_latents_are_ignored() -> None:
    one = ORTHOGONAL
    noise = codes(1, 2)
    wide = np.concatenate([noise[:, :1], one, noise[:, 1:]], axis=1)
    informative = np.array([False, True, True, True, False])
    scores, _ = udr([one, wide], [np.ones(3, dtype=bool), informative], [0, 1])
    assert scores == pytest.approx([1.0, 1.0], abs=1e-12)
    counted, _ = udr([one, wide], all_of(one, wide), [0, 1])
    assert (counted < 0.9).all()


def test_uninformative_model_scores_0() -> None:
    one, empty = ORTHOGONAL, np.zeros((N, 3))
    scores, partners = udr([one, empty, empty], [np.ones(3), np.zeros(3), np.ones(3)], [0, 1, 2])
    assert scores.tolist() == [0.0, 0.0, 0.0]
    assert partners.tolist() == [2, 2, 2]


def test_models_that_have_all_collapsed_score_0() -> None:
    scores, partners = udr([ORTHOGONAL] * 3, [np.zeros(3)] * 3, [0, 1, 2])
    assert (scores.tolist(), partners.tolist()) == ([0.0] * 3, [2] * 3)


def test_the_score_is_the_median_over_other_seeds() -> None:
    one, strange = ORTHOGONAL, codes(5, 3)
    scores, partners = udr([one, one, one, strange], all_of(one, one, one, strange), [0, 1, 2, 3])
    assert scores[:3] == pytest.approx([1.0, 1.0, 1.0], abs=1e-12)
    assert scores[3] < 0.1
    alone, without = udr([one, one], all_of(one, one), [7, 7])
    assert np.isnan(alone).all()
    assert without.tolist() == [0, 0]
    assert partners.tolist() == [3, 3, 3, 3]


def test_ties_share_their_rank() -> None:
    # ranks (1.5, 1.5, 3.5, 3.5) and (1, 2, 3, 4): Spearman 4 / sqrt(4 * 5) = 2 / sqrt(5)
    tied, plain = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([[1.0], [2.0], [3.0], [4.0]])
    scores, _ = udr([tied, plain], all_of(tied, plain), [0, 1])
    assert scores == pytest.approx([2 / math.sqrt(5)] * 2, abs=1e-12)


def test_codes_of_other_images_are_refused() -> None:
    one = codes(0)
    with pytest.raises(ValueError, match=r"codes must be of the same 2 or more images, not \(3, 6\) and \(4000, 6\)"):
        udr([one, one[:3]], all_of(one, one), [0, 1])
    with pytest.raises(ValueError, match="carrying must have one place a latent"):
        udr([one, one], [np.ones(6), np.ones(5)], [0, 1])
    broken = one.copy()
    broken[0, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        udr([one, broken], all_of(one, one), [0, 1])

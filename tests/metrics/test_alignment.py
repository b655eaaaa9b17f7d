"""Alignment of latents over models: copies in another order and sign, and responses in another order."""

from __future__ import annotations

import numpy as np
import pytest

from lrx.metrics.alignment import align_codes, align_responses

N, D, F = 400, 6, 4


def test_permuted_and_flipped_copies_align_exactly() -> None:
    random = np.random.default_rng(0)
    codes_ND = random.standard_normal((N, D)) @ random.standard_normal((D, D))  # entangled: not one latent a factor
    orders = [np.arange(D), *(random.permutation(D) for _ in range(3))]
    signs = [np.ones(D), *(random.choice([-1.0, 1.0], D) for _ in range(3))]
    aligned = align_codes([np.exp(codes_ND)[:, order] * sign for order, sign in zip(orders, signs, strict=True)])
    assert aligned.reference == 0  # all are as good; the first is taken
    for order, sign, found, found_sign in zip(orders, signs, aligned.order_MD, aligned.sign_MD, strict=True):
        np.testing.assert_array_equal(order[found], np.arange(D))
        np.testing.assert_array_equal(sign[found], found_sign)
    np.testing.assert_allclose(aligned.agreement_MD, 1, atol=1e-12)


def test_reference_is_the_model_most_like_others() -> None:
    random = np.random.default_rng(1)
    codes_ND = random.standard_normal((N, D))
    noise = [3.0, 0.3, 0.0, 0.3]
    aligned = align_codes([codes_ND + scale * random.standard_normal((N, D)) for scale in noise])
    assert aligned.reference == 2
    np.testing.assert_array_equal(aligned.order_MD[1:], np.tile(np.arange(D), (3, 1)))
    assert aligned.agreement_MD[0].mean() < 0.5 < 0.9 < aligned.agreement_MD[1].mean()


def test_constant_codes_agree_with_nothing() -> None:
    codes_ND = np.random.default_rng(2).standard_normal((N, 3))
    dead_ND = codes_ND * [1, 0, 1]
    aligned = align_codes([codes_ND[:, [2, 1, 0]], dead_ND])
    np.testing.assert_array_equal(aligned.order_MD[1], [2, 1, 0])
    np.testing.assert_allclose(aligned.agreement_MD[1], [1, 0, 1], atol=1e-12)


def test_responses_in_another_order_align_exactly() -> None:
    random = np.random.default_rng(3)
    matrix_FD = random.random((F, D))
    matrix_FD[:, 2] = 0  # a latent that responds to nothing
    order = random.permutation(D)
    aligned = align_responses([matrix_FD, matrix_FD[:, order]])
    np.testing.assert_array_equal(order[aligned.order_MD[1]], np.arange(D))
    np.testing.assert_allclose(aligned.agreement_MD[1], np.arange(D) != 2)
    assert (aligned.sign_MD == 1).all()


def test_responses_are_matched_by_least_squares() -> None:
    """Of all permutations the one with the least sum of squared differences, found by trying each."""
    from itertools import permutations

    random = np.random.default_rng(4)
    one_FD, other_FD = random.random((F, 5)), random.random((F, 5))
    best = min(permutations(range(5)), key=lambda order: np.square(one_FD - other_FD[:, order]).sum())
    np.testing.assert_array_equal(align_responses([one_FD, other_FD]).order_MD[1], best)


def test_other_shapes_are_refused() -> None:
    codes = np.zeros((N, D))
    for wrong in (
        [codes, codes[:, 1:]],
        [codes[:, 0]],
        [codes[:, :0]],
        [np.full((N, D), np.nan)],
        [np.zeros((2, 513))],
    ):
        with pytest.raises(ValueError, match=r"must (have one shape|be finite)"):
            align_codes(wrong)

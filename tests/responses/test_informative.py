"""The one rule of informative latents: where it lies, and what is said when none is."""

from __future__ import annotations

import torch

from lrx.assays.response_map.pair_selection import choose_pairs, remark_on_pairs
from lrx.responses.responsive import INFORMATIVE, informative_array, remark_on, rule


def test_a_latent_is_informative_above_the_threshold_and_not_at_it() -> None:
    own = torch.tensor([0.5, 0.5 + 1e-9, 2.0, 0.0], dtype=torch.float64)
    array = informative_array(own, "latent")
    assert array.values.tolist() == [0, 1, 1, 0]
    assert (array.axes, array.unit) == (("latent",), "1")
    assert informative_array(own, "latent", 1.0).values.tolist() == [0, 0, 1, 0]


def test_the_rule_is_told_beside_its_marks() -> None:
    assert INFORMATIVE == 0.5  # Leeb et al. 2022
    assert rule() == "M_jj > 0.5 on the scale none"
    assert informative_array(torch.zeros(1), "latent", 0.25).description == (
        "1 where informative: M_jj > 0.25 on the scale none"
    )


def test_none_informative_has_a_remark_with_the_largest_response() -> None:
    assert remark_on(torch.tensor([0.1, 0.6])) is None
    told = str(remark_on(torch.tensor([0.1, 0.4])))
    assert told.startswith("no latent is informative, that is M_jj > 0.5 on the scale none (the largest is 0.4)")
    assert "(the largest is 0)" in str(remark_on(torch.zeros(3)))
    assert remark_on(torch.tensor([0.1, 0.4]), 0.3) is None


def test_pairs_are_of_informative_latents_by_how_much_they_move_each_other() -> None:
    matrix = torch.tensor([[1.0, 0.1, 0.2], [0.3, 1.0, 0.0], [0.1, 0.6, 1.0]]).double()  # 0.4, 0.3 and 0.6 together
    assert choose_pairs("all", [0, 1, 2], matrix, 9) == ([(1, 2), (0, 1), (0, 2)], 3, {0, 1, 2})
    assert choose_pairs("auto", [0, 1, 2], matrix, 9) == ([(1, 2)], 3, {0, 1, 2})
    assert choose_pairs("all", [0, 1, 2], 0.45 * matrix, 9)[2] == set()
    assert choose_pairs([2, 0], [2, 0], matrix[[2, 0]], 9) == ([(2, 0)], 1, {0, 2})


def test_a_map_of_latents_that_are_not_informative_says_so() -> None:
    assert remark_on_pairs([0, 1], {0, 1}) is None
    assert str(remark_on_pairs([0, 3], {0})).startswith("latent 3 is not informative, that is M_jj > 0.5")
    assert str(remark_on_pairs([0, 3], set())).startswith("latents 0, 3 are not informative")

"""Criterion of informative latents, the remarks where none is, and the selection of pairs by it."""

from __future__ import annotations

import torch

from lrx.assays.response_map.pair_selection import choose_pairs, remark_on_pairs
from lrx.responses.informative import THRESHOLD, criterion, informative_array, remark_on, remark_on_read_back


def test_informative_above_threshold_not_at_it() -> None:
    own = torch.tensor([0.5, 0.5 + 1e-9, 2.0, 0.0], dtype=torch.float64)
    array = informative_array(own, "latent")
    assert array.values.tolist() == [0, 1, 1, 0]
    assert (array.axes, array.unit) == (("latent",), "1")
    assert informative_array(own, "latent", 1.0).values.tolist() == [0, 0, 1, 0]


def test_description_names_criterion() -> None:
    assert THRESHOLD == 0.5  # Leeb et al. 2022
    assert criterion() == "M_jj > 0.5 on the scale none"
    assert informative_array(torch.zeros(1), "latent", 0.25).description == (
        "1 where informative: M_jj > 0.25 on the scale none"
    )


def test_remark_names_largest_response() -> None:
    assert remark_on(torch.tensor([0.1, 0.6])) is None
    remark = str(remark_on(torch.tensor([0.1, 0.4])))
    assert remark.startswith("no latent is informative, that is M_jj > 0.5 on the scale none (the largest is 0.4)")
    assert "(the largest is 0)" in str(remark_on(torch.zeros(3)))
    assert remark_on(torch.tensor([0.1, 0.4]), 0.3) is None
    constant = torch.tensor([float("nan"), 0.2])  # a unit that no draw moved
    assert "(the largest is 0.2)" in str(remark_on_read_back(constant, of_map=False))


def test_choose_pairs() -> None:
    matrix = torch.tensor([[1.0, 0.1, 0.2], [0.3, 1.0, 0.0], [0.1, 0.6, 1.0]]).double()  # 0.4, 0.3 and 0.6 together
    assert choose_pairs("all", [0, 1, 2], matrix, 9) == ([(1, 2), (0, 1), (0, 2)], 3, {0, 1, 2})
    assert choose_pairs("auto", [0, 1, 2], matrix, 9) == ([(1, 2)], 3, {0, 1, 2})
    assert choose_pairs("all", [0, 1, 2], 0.45 * matrix, 9)[2] == set()
    assert choose_pairs([2, 0], [2, 0], matrix[[2, 0]], 9) == ([(2, 0)], 1, {0, 2})


def test_remark_on_pairs() -> None:
    assert remark_on_pairs([0, 1], {0, 1}) is None
    assert str(remark_on_pairs([0, 3], {0})).startswith("latent 3 is not informative, that is M_jj > 0.5")
    assert str(remark_on_pairs([0, 3], set())).startswith("latents 0, 3 are not informative")

"""Codes of any origin as a data set: kinds of factors, names, precision, and one line for what is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lrx.core.types import Dataset, Valued
from lrx.data.codes import CodesDataset, named_columns

CODES = np.random.default_rng(0).standard_normal((6, 2))
KINDS = {"class": np.arange(6) % 3, "whole": np.arange(6.0), "on": np.arange(6) < 2, "x": np.arange(6) / 4}


def opened(codes: object = CODES, factors: Any = KINDS) -> CodesDataset:
    return CodesDataset(codes, factors, name="mine", source="made in the test")


def test_codes_and_values_come_back_by_index() -> None:
    data, index = opened(), torch.tensor([4, 0])
    assert isinstance(data, Dataset)
    assert isinstance(data, Valued)
    assert len(data) == 6
    assert np.array_equal(data.raw(index), CODES[[4, 0]])
    assert data.factor_values(index).tolist() == [[1, 4, 0, 1], [0, 0, 1, 0]]
    assert data.raw(index).dtype == data.model().encode(data.raw(index)).dtype == torch.float64


def test_only_fractional_values_are_continuous() -> None:
    data = opened()
    assert dict(zip(data.value_names, data.is_continuous, strict=True)) == {
        "class": False,
        "whole": False,
        "on": False,
        "x": True,
    }
    assert data.source == "made in the test; continuous factors: x"


def test_codes_from_float32_lists_and_tensors() -> None:
    single = opened(CODES.astype(np.float32))
    assert single.raw(torch.tensor([0])).dtype == torch.float32
    assert opened(torch.from_numpy(CODES)).fingerprint == opened(CODES.tolist()).fingerprint == opened().fingerprint
    assert opened(factors={**KINDS, "x": KINDS["x"] + 1}).fingerprint != opened().fingerprint
    assert opened(CODES > 0).raw(torch.tensor([0])).dtype == torch.float64


def test_columns_have_names() -> None:
    assert list(named_columns(np.zeros((3, 2)), None)) == ["factor_1", "factor_2"]
    assert list(named_columns(torch.zeros(3), ["x"])) == ["x"]
    for names in (["a"], ["a", "a"], "ab"):
        with pytest.raises(ValueError, match="factor_names must be 2 different names, one a column of factors"):
            named_columns(np.zeros((3, 2)), names)
    with pytest.raises(ValueError, match=r"factors have shape \(3, 2, 1\)"):
        named_columns(np.zeros((3, 2, 1)), None)
    with pytest.raises(ValueError, match="factors must be a numpy array, a tensor or a list of numbers, not a str"):
        named_columns("x", None)


@pytest.mark.parametrize(
    ("codes", "factors", "message"),
    [
        (CODES[:, 0], KINDS, r"codes have shape \(6,\); give one row a point"),
        (CODES[:0], KINDS, r"codes have shape \(0, 2\)"),
        (np.where(CODES[3, 1] == CODES, np.nan, CODES), KINDS, "codes has the value nan in row 3"),
        (CODES.astype(str), KINDS, "codes holds text, and numbers are needed"),
        (CODES.astype(object), KINDS, "codes holds objects"),
        (CODES.astype(complex), KINDS, "codes holds complex numbers"),
        ("codes.npz", KINDS, "codes must be a numpy array, a tensor or a list of numbers, not a str"),
        (CODES, {}, "factors are needed beside codes"),
        (CODES, {"x": np.arange(5)}, "factor x has 5 values, and there are 6 codes"),
        (CODES, {"x": np.array(["cube"] * 6)}, "factor x holds text"),
        (CODES, {"x": [1, 2, 3, np.inf, 5, 6]}, "factor x has the value inf in row 3"),
    ],
)
def test_what_is_no_codes_and_factors_is_refused(codes: object, factors: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        opened(codes, factors)

"""The checks of settings: what passes, and the one line that is said of what does not."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest

from lrx.core.validation import (
    check_choice,
    check_number,
    check_positive,
    check_whole,
    is_number,
    is_whole,
)


def test_kinds_of_numbers() -> None:
    assert [is_whole(value, 2) for value in (2, 3, 1, 2.0, True, "2", None)] == [True, True, *[False] * 5]
    assert [is_number(value) for value in (2, -0.5, True, "2", math.nan, math.inf, None)] == [True, True, *[False] * 5]


def test_values_in_range_pass() -> None:
    check_choice("base", "prior", ("prior", "posterior"))
    check_whole("shown", 0, 0)
    check_whole("batch_size", None, 1, null=True)
    check_whole("batch_size", 1, 1, null=True)
    check_number("weight", 0, 0)
    check_positive("extent", 1e-9)
    check_positive("target_se", None, null=True)


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: check_choice("base", "x", ("a", "b")), "base must be one of a, b, not 'x'"),
        (lambda: check_choice("base", 1, ("a", "b")), "base must be one of a, b, not 1"),
        (lambda: check_whole("shown", 1.0, 1), "shown must be a whole number of at least 1, not 1.0"),
        (lambda: check_whole("n", 3, 8, reason=" (why)"), "n must be a whole number of at least 8 (why), not 3"),
        (
            lambda: check_whole("batch_size", 0, 1, null=True),
            "batch_size must be null or a whole number of at least 1, not 0",
        ),
        (lambda: check_number("weight", -1, 0), "weight must be a number of at least 0, not -1"),
        (lambda: check_number("weight", math.inf, 0), "weight must be a number of at least 0, not inf"),
        (lambda: check_positive("extent", 0), "extent must be a positive number, not 0"),
        (lambda: check_positive("extent", None), "extent must be a positive number, not None"),
        (lambda: check_positive("t", math.nan, null=True), "t must be null or a positive number, not nan"),
    ],
)
def test_values_out_of_range_are_refused(check: Callable[[], None], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check()

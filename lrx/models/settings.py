"""Checks that the settings of several objectives share; each names the key as the yaml spells it."""

from __future__ import annotations

import math

from lrx.core.validation import is_whole


def check_number(key: str, value: object, *, least: float) -> None:
    """ValueError unless model.`key` is a finite number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < math.inf:
        raise ValueError(f"model.{key} must be a number of at least {least:g}, not {value!r}")


def check_whole(key: str, value: object, *, least: int) -> None:
    """ValueError unless model.`key` is a whole number of at least `least`."""
    if not is_whole(value, least):
        raise ValueError(f"model.{key} must be a whole number of at least {least}, not {value!r}")

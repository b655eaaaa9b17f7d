"""Checks of settings: each raises a `SettingError` of one line that says what the setting must be and what it was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeGuard

from lrx.core.text import did_you_mean


class SettingError(ValueError):
    """Setting out of range. The message begins with the setting's name; the command line puts its group before it."""


def is_whole(value: object, least: int) -> bool:
    """Return whether a value is a whole number (true and false are none) of at least `least`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether a value is a finite number (true and false are none)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Check that a setting is one of these words."""
    if value not in choices:
        near = did_you_mean(value, choices) if isinstance(value, str) else ""
        raise SettingError(f"{name} must be one of {', '.join(choices)}, not {value!r}{near}")


def check_whole(name: str, value: object, least: int, *, null: bool = False, reason: str = "") -> None:
    """Check that a setting is a whole number of at least `least`, or null; `reason` says where the bound comes from."""
    if not (null and value is None) and not is_whole(value, least):
        kind = f"{'null or ' if null else ''}a whole number of at least {least}{reason}"
        raise SettingError(f"{name} must be {kind}, not {value!r}")


def check_number(name: str, value: object, least: float | None, *, null: bool = False) -> None:
    """Check that a setting is a finite number, of at least `least` where that is given, or null."""
    if not (null and value is None) and not (is_number(value) and (least is None or value >= least)):
        bound = "" if least is None else f" of at least {least:g}"
        raise SettingError(f"{name} must be {'null or ' if null else ''}a number{bound}, not {value!r}")


def check_positive(name: str, value: object, *, null: bool = False) -> None:
    """Check that a setting is a finite number above 0, or null."""
    if not (null and value is None) and not (is_number(value) and value > 0):
        raise SettingError(f"{name} must be {'null or ' if null else ''}a positive number, not {value!r}")

"""What the settings of assays have in common: kinds of values that a yaml or a person may get wrong.

Each check raises a ValueError of one line, which says what the setting must be and what it was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeGuard


def is_whole(value: object, least: int) -> bool:
    """Whether a value is a whole number (true and false are none) of at least `least`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a finite number (true and false are none)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def check_choice(key: str, value: object, choices: Sequence[str]) -> None:
    """The setting `assay.<key>` is one of these words."""
    if value not in choices:
        raise ValueError(f"assay.{key} must be one of {', '.join(choices)}, not {value!r}")


def check_whole(key: str, value: object, least: int, *, reason: str = "") -> None:
    """The setting is a whole number of at least `least`; `reason` tells behind that number where it comes from."""
    if not is_whole(value, least):
        raise ValueError(f"assay.{key} must be a whole number of at least {least}{reason}, not {value!r}")


def check_batch_size(value: object) -> None:
    """The setting `assay.batch_size` is null or a whole number of at least 1."""
    if value is not None and not is_whole(value, 1):
        raise ValueError(f"assay.batch_size must be null or a whole number of at least 1, not {value!r}")


def check_not_negative(key: str, value: object) -> None:
    """The setting is a finite number of at least 0."""
    if not is_number(value) or value < 0:
        raise ValueError(f"assay.{key} must be a number of at least 0, not {value!r}")


def check_positive(key: str, value: object, *, null: bool = False) -> None:
    """The setting is a finite number above 0, or null where that is one of its values."""
    if not (null and value is None) and not (is_number(value) and value > 0):
        raise ValueError(f"assay.{key} must be {'null or ' if null else ''}a positive number, not {value!r}")

"""What the settings of assays have in common: kinds of values that a yaml or a person may get wrong."""

from __future__ import annotations


def is_whole(value: object, least: int) -> bool:
    """Whether a value is a whole number (true and false are none) of at least `least`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least

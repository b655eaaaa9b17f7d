"""Unit and description of an array as HDF5 attributes that no unit library misreads.

lrx's units are words, such as latent and nat. UDUNITS, Pint and R take `nat` for a nano-technical-atmosphere and do not
know `latent`; so `units` is "1" for each of them, and the word is in `display_units` and at the end of `long_name`. In
files before version 0.2.0 the word is in `units`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

UNITS, LONG_NAME, WORD = "units", "long_name", "display_units"
ARRAY_ATTRIBUTES = {UNITS, LONG_NAME}


def array_attributes(unit: str, description: str) -> dict[str, str]:
    """Return the attributes that store a unit in words and a description; `unit_and_description` reads them."""
    if unit == "1":
        return {UNITS: "1", LONG_NAME: description}
    return {UNITS: "1", LONG_NAME: f"{description} ({unit})", WORD: unit}


def unit_and_description(attributes: Mapping[str, object]) -> tuple[str, str]:
    """Return unit and description from the attributes of an array. KeyError without those of ARRAY_ATTRIBUTES."""
    unit = str(plain(attributes[WORD if WORD in attributes else UNITS]))
    description = str(plain(attributes[LONG_NAME]))
    return unit, description.removesuffix(f" ({unit})") if WORD in attributes else description


def plain(value: object) -> str | int | float | None:
    """Return an attribute, or the only value of an array, as python's own type; None for other kinds."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(())[()]
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    return value if isinstance(value, str | int | float) else None

"""Words for the units of a result: what a row of its matrix is called."""

from __future__ import annotations

from lrx.core.types import AssayResult

WORDS = {"element": "latent", "lists": "latents", "channel": "channel"}  # others say it in their labels


def unit_word(result: AssayResult) -> str:
    """Return what precedes the label of a unit: `latent` for results without units; empty where labels say it."""
    return WORDS.get(str(result.settings.get("units") or "element"), "")


def unit_label(result: AssayResult, label: object) -> str:
    """Return a label with its word: `latent 3`, `latents 0+1`, `channel 5`, `y 0 x 3`."""
    return f"{unit_word(result)} {label}".strip()

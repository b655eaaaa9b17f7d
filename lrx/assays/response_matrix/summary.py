"""Summary of a result of the assay `response_matrix`: the latents that respond to themselves, and what they move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrx.assays.plotting.unit_words import unit_label, unit_word
from lrx.assays.summary import Summary, listed
from lrx.core import rounding

if TYPE_CHECKING:
    from lrx.core.types import AssayResult


def summarize(result: AssayResult) -> Summary:
    """Return how many latents respond to themselves, which, and the largest response of another latent to them."""
    matrix_UU, se_UU = (result.arrays[name].values for name in ("matrix", "matrix_se"))
    labels = result.coordinates["intervened"]
    informative = [int(place) for place in result.arrays["informative"].values.nonzero()[0]]
    rule = result.arrays["informative"].description.partition(": ")[2]
    word = unit_word(result) or "unit"
    words = word if word.endswith("s") else f"{word}s"
    if not informative:
        return Summary(f"None of {len(labels)} {words} responds to itself when it is set ({rule}).")
    ranked = sorted(informative, key=lambda unit: -matrix_UU[unit, unit])
    verb = "respond to themselves when they are" if len(ranked) > 1 else "responds to itself when it is"
    which = listed([labels[unit] for unit in ranked])
    sentence = f"{len(ranked)} of {len(labels)} {words} {verb} set ({rule}): {which}"
    _, row, column = max(
        (
            (float(matrix_UU[row, column]), row, column)
            for row in ranked
            for column in range(len(labels))
            if column != row
        ),
        default=(0.0, -1, -1),
    )
    if column >= 0:
        moved, own = (
            rounding.estimate(float(matrix_UU[row, place]), float(se_UU[row, place])) for place in (column, row)
        )
        set_, other = (unit_label(result, labels[unit]) for unit in (row, column))
        sentence += f"; what one drags along is at most {moved}, {other} by {set_}, whose own response is {own}"
    return Summary(f"{sentence}.", _doubts(result))


def _doubts(result: AssayResult) -> tuple[str, ...]:
    """Return that a target was missed, or that rounding exceeds the errors."""
    doubts = []
    largest = result.scores["largest_se"]
    if result.settings.get("target_reached") is False:
        words = {"target_se": "", "target_relative_se": " of the largest response"}
        targets = {name: result.settings.get(name) for name in words}
        asked = " or ".join(f"{name}={value}{words[name]}" for name, value in targets.items() if value is not None)
        doubts.append(f"The largest standard error, {largest:.2g}, is above {asked}.")
    rounding_error = result.scores.get("rounding_error", 0.0)
    if result.settings.get("precision") == "bf16" and rounding_error > largest:
        doubts.append(f"Rounding to bf16 changes entries by up to {rounding_error:.2g}; the errors are {largest:.2g}.")
    return tuple(doubts)

"""Summary of a result of the assay `equivariance`: how far the code of a shifted picture is from the shifted code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrx.assays.summary import Summary, estimate

if TYPE_CHECKING:
    from lrx.core.types import AssayResult


def summarize(result: AssayResult) -> Summary:
    """Return the error at whole places and at fractions, and what a shifted code costs the picture."""
    errors = {"error_whole": "by whole places", "error_fraction": "by fractions of a place"}
    parts = [f"{estimate(result, name)} for shifts {words}" for name, words in errors.items() if name in result.scores]
    sentence = (
        f"The code of a shifted picture differs from the shifted code, over the spread of codes, by "
        f"{' and '.join(parts)}"
    )
    if "psnr_loss" in result.scores:
        sentence += f"; the picture decoded from a shifted code loses {estimate(result, 'psnr_loss')} dB"
    return Summary(f"{sentence}.")

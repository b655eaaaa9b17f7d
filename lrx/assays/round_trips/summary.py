"""Summary of a result of the assay `round_trips`: drift of codes, and whether it settles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrx.assays.summary import Summary, estimate

if TYPE_CHECKING:
    from lrx.core.types import AssayResult


def summarize(result: AssayResult) -> Summary:
    """Return the drift after the first and the last trip, and the last step over the first."""
    trips = len(result.coordinates["trip"])
    sentence = (
        f"Codes are {estimate(result, 'first_drift')} of their spread away after one trip and "
        f"{estimate(result, 'last_drift')} after {trips}; the last step is {estimate(result, 'remaining_step')} of the "
        "first"
    )
    if "first_psnr" in result.scores:
        sentence += f", and the image is at {estimate(result, 'last_psnr')} dB, from {estimate(result, 'first_psnr')}"
    return Summary(f"{sentence}.")

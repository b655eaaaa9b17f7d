"""Summary of a result of the assay `footprint`: how many channels paint, and how far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrx.assays.summary import Summary, estimate, share

if TYPE_CHECKING:
    from lrx.core.types import AssayResult


def summarize(result: AssayResult) -> Summary:
    """Return the number of channels that change the picture, their mean radius and share of even change."""
    channels, painting = len(result.coordinates["channel"]), int(result.scores["num_painting"])
    if not painting:
        return Summary(f"None of {channels} channels changes the picture where one place of it is shifted.")
    return Summary(
        f"{painting} of {channels} channels change the picture, within a mean radius of "
        f"{estimate(result, 'mean_radius')} pixels; {share(result, 'mean_grey')} of the change is grey and "
        f"{share(result, 'mean_flat')} even over a place."
    )

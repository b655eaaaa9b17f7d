"""Summary of a result of the assay `spatial_response`: how many channels are read back, and how far responses reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrx.assays.summary import Summary, estimate
from lrx.core.text import count_of

if TYPE_CHECKING:
    from lrx.core.types import AssayResult


def summarize(result: AssayResult) -> Summary:
    """Return the channels that are read back at one place, and those that only correlate with their response."""
    channels, read = len(result.coordinates["intervened"]), int(result.scores["num_informative"])
    sentence = f"{read} of {channels} channels are read back where one place of them is set"
    if "mean_reach_90" in result.scores:
        sentence += f"; 90 % of a response lies within {estimate(result, 'mean_reach_90')} places"
    only = int(result.scores["num_correlated_only"])
    doubt = f"Correlation with responses would also name {count_of(only, 'channel')} without an answer when set."
    return Summary(f"{sentence}.", (doubt,) if only else ())

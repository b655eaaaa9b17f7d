"""Summary of a result of the assay `codes`: how many latents carry information."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrx.assays.summary import Summary

if TYPE_CHECKING:
    from lrx.core.types import AssayResult


def summarize(result: AssayResult) -> Summary:
    """Return the number of latents that are active by KL, or by variance, and of images."""
    active = result.arrays.get("active_by_kl") or result.arrays["carrying"]  # the latter in results of 0.1.0
    images, latents = result.arrays["codes"].values.shape
    rule = active.description.partition(": ")[2]
    return Summary(
        f"{int(active.values.sum())} of {latents} latents are active ({rule}) in the codes of {images:,} images."
    )

"""Summary of a result of the assay `traversal`: how far responses follow the values that are set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lrx.assays.summary import Summary, estimate

if TYPE_CHECKING:
    from lrx.core.types import AssayResult


def summarize(result: AssayResult) -> Summary:
    """Return the mean slope of responses, and which latent follows most and least."""
    following_W = result.arrays["following"].values.mean(axis=0)
    labels = result.coordinates["latent"]
    if np.isnan(following_W).all():
        return Summary("Responses to a single value have no slope: following takes two values or more.")
    least, most = int(following_W.argmin()), int(following_W.argmax())
    slope = estimate(result, "mean_following")
    sentence = f"Responses follow the values that are set with a mean slope of {slope} (1: as set)"
    if len(labels) > 1:
        sentence += (
            f", from {following_W[least]:.2f} of latent {labels[least]} to {following_W[most]:.2f} of {labels[most]}"
        )
    return Summary(f"{sentence}.")

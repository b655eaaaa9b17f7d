"""Summary of a result of the assay `generation`: how far decoded samples are from images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrx.assays.summary import CLEAR, Summary, difference, estimate, share

if TYPE_CHECKING:
    from lrx.core.types import AssayResult

SURE = 0.8  # accuracy of the network whose features are compared


def summarize(result: AssayResult) -> Summary:
    """Return Fréchet distances of draws from the prior, of codes, of images themselves, and what h makes of draws."""
    distance = {name: estimate(result, f"frechet_{name}") for name in ("prior", "posterior", "data", "refined")}
    change = difference(result, "frechet_refined", "frechet_prior")
    effect = (
        "brings them nearer" if change < -CLEAR else "takes them further away" if change > CLEAR else "changes little"
    )
    sentence = (
        f"Decoded draws from the prior are at a Fréchet distance of {distance['prior']} from held-out images, decoded "
        f"codes at {distance['posterior']}, other images at {distance['data']}; h applied to the draws {effect}, "
        f"{distance['refined']}."
    )
    reads = ""
    if result.scores.get("probe_accuracy", 1.0) < SURE:
        accuracy = share(result, "probe_accuracy")
        reads = f"Distances of samples are in the features of a network that is right in {accuracy} of images."
    return Summary(sentence, (reads,) if reads else ())

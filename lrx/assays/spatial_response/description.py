"""Description of the assay `spatial_response`."""

from __future__ import annotations

from lrx.assays.description import Codes, Description, Picture

DESCRIPTION = Description(
    title="Spatial response",
    question="How far, and into which channels, does one place of a code with a shape reach when it is set?",
    position=22,
    scores={
        "num_informative": "Channels that are read back where they are set at one place: response over step > 0.5.",
        "num_correlated_only": (
            "Channels that do not answer when one place is set, but whose response correlates with them at 0.9 or more."
        ),
        "mean_reach_90": "Distance, in places, within which 90 % of the squared response lies; mean over channels.",
        "largest_se": "The largest standard error of an entry of the kernels.",
    },
    main_scores=("num_informative", "num_correlated_only", "mean_reach_90"),
    headline=True,
    pictures={
        "spatial_response": Picture(
            (
                "Bars of what is read back of each channel that is set at one place, and heat maps of the response "
                "around that place."
            ),
            (
                "Good: bars near 1 and a response at the place alone; bad: a low bar under a high dot, a channel that "
                "its neighbours overrule, or a response that spreads."
            ),
        ),
    },
    codes=Codes(places=True),
    shards=True,
)

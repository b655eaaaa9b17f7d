"""Description of the assay `footprint`."""

from __future__ import annotations

from lrx.assays.description import Codes, Description, Picture

DESCRIPTION = Description(
    title="Footprint",
    question="What does one place of a channel paint in the picture?",
    position=52,
    scores={
        "num_painting": "Channels that change the picture where one place is shifted by a step.",
        "mean_grey": "Share of the squared change that is equal in all channels of the picture; mean over channels.",
        "mean_flat": "Share of the squared change that is even over the pixels of each place; mean over channels.",
        "mean_radius": "Distance of the squared change from the middle of the place, in pixels; mean over channels.",
    },
    main_scores=("num_painting", "mean_radius"),
    pictures={
        "footprint": Picture(
            "A patch for each channel: the mean change around the place that is shifted, grey where there is none.",
            (
                "A patch of one colour is a channel that paints evenly; stripes and edges are detail; noise is a "
                "channel that paints nothing, or something else in every image."
            ),
        ),
    },
    codes=Codes(places=True),
    shards=True,
)

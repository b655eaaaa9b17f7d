"""Description of the assay `traversal`: its question, and what its scores and pictures mean."""

from __future__ import annotations

from lrx.assays.description import Description, Picture

DESCRIPTION = Description(
    title="Traversals",
    question="What changes in an image when one latent takes a range of values?",
    position=50,
    scores={
        "num_walked": "Latents that were walked along.",
        "num_informative": "Of those, latents that respond to themselves: M_jj > 0.5 on the scale none.",
        "mean_following": "Slope of a latent's response over the value that is set: 1 for an identity, 0 for none.",
    },
    main_scores=("mean_following",),
    pictures={
        "traversal": Picture(
            "A row of decoded images for each latent, its value rising from left to right.",
            "Good: one thing changes along a row and its curve follows the dashed line; bad: several change, or none.",
        ),
    },
    in_paper=True,
)

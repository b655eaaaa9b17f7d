"""What the assay `codes` asks, and what its scores and pictures mean."""

from __future__ import annotations

from lrx.assays.description import Description

DESCRIPTION = Description(
    title="Codes",
    question="Where does the encoder place the same images in every model?",
    position=120,
    scores={
        "num_carrying": "Latents that carry something: a KL (or without a posterior a variance) above 0.01.",
    },
    in_paper=True,
)

"""Description of the assay `codes`."""

from __future__ import annotations

from lrx.assays.description import Description

DESCRIPTION = Description(
    title="Codes",
    question="Where does the encoder place the same images in every model?",
    position=120,
    scores={
        "num_active_by_kl": "Latents whose KL from the prior (or without a posterior, variance) is above 0.01.",
    },
    in_paper=True,
)

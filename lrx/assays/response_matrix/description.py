"""Description of the assay `response_matrix`: its question, and what its scores and pictures mean."""

from __future__ import annotations

from lrx.assays.description import Description, Picture

DESCRIPTION = Description(
    title="Latent response matrix",
    question="When one latent is set, decoded and encoded again, how far does each latent's response move?",
    position=20,
    scores={
        "num_informative": "Latents that respond to themselves: M_jj > 0.5 on the scale none.",
        "largest_se": "The largest standard error of an entry of the matrix.",
        "num_active": "Latents whose codes vary between images: variance above 0.01.",
    },
    main_scores=("num_informative", "num_active"),
    headline=True,
    pictures={
        "response_matrix": Picture(
            "A heat map: a row for each latent that is set, a column for each that responds.",
            "Good: a bright diagonal, near-zero entries off it; bad: bright entries off it, where latents entangle.",
        ),
    },
    in_paper=True,
    shards=True,
)

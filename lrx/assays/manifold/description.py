"""Description of the assay `manifold`."""

from __future__ import annotations

from lrx.assays.description import Codes, Description, Picture

DESCRIPTION = Description(
    title="Manifold",
    question="How many directions survive decoding and encoding in all dimensions, and where are holes of the prior?",
    position=70,
    scores={
        "mean_divergence_{}": "Mean divergence of the response at {}; minus the number of latents: all contract.",
        "mean_magnitude_{}": "Mean distance between a point and its response, at {}.",
        "mean_participation_{}": "Effective number of directions that survive at {}; not defined where none does.",
        "mean_dimension_{}": "Directions that survive (singular value of the Jacobian above the threshold) at {}.",
        "holes_by_divergence": "Share of the prior where the response does not contract: holes.",
        "holes_by_magnitude": "Share of the prior that moves further than nearly all codes of images: holes.",
    },
    words={
        "prior": "draws from the prior",
        "posterior": "codes of images",
        "posterior_sample": "draws from the posteriors of images",
    },
    main_scores=("mean_dimension_posterior", "holes_by_magnitude"),
    lower=("holes_by_divergence", "holes_by_magnitude"),
    pictures={
        "manifold": Picture(
            "Spectra of the Jacobian, and histograms of divergence and magnitude, at prior points and codes.",
            (
                "Good: prior and codes are alike in every panel; bad: prior points far from the codes of images, "
                "which are holes."
            ),
        ),
    },
    in_paper=True,
    codes=Codes(prior=True, continuous="differentiates h"),
)

"""What the assay `manifold` asks, and what its scores and pictures mean."""

from __future__ import annotations

from lrx.assays.description import Description, Picture

DESCRIPTION = Description(
    title="Manifold",
    question="In all dimensions, how many directions survive decoding and encoding, and where has the prior holes?",
    position=70,
    scores={
        "mean_divergence_{}": "Mean divergence of the response at {}; minus the number of latents: all contracts.",
        "mean_magnitude_{}": "Mean distance that a point moves when decoded and encoded again, at {}.",
        "mean_participation_{}": "Effective number of directions that survive at {}; not defined where none does.",
        "mean_dimension_{}": "Directions that survive (singular value of the Jacobian above threshold) at {}.",
        "holes_by_divergence": "Share of the prior where responses do not contract: holes.",
        "holes_by_magnitude": "Share of the prior that moves further than nearly all codes of images do: holes.",
    },
    words={
        "prior": "draws from the prior",
        "posterior": "codes of images",
        "posterior_sample": "draws from the posteriors of images",
    },
    main_scores=("mean_dimension_posterior", "holes_by_magnitude"),
    pictures={
        "manifold": Picture(
            "Spectra of the Jacobian, and histograms of divergence and magnitude, at prior points and codes.",
            (
                "Good: prior and codes look alike in every panel; bad: prior points far from where codes "
                "lie, which are holes."
            ),
        ),
    },
    in_paper=True,
)

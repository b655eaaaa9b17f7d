"""Description of the assay `interchange`."""

from __future__ import annotations

from lrx.assays.description import Description, Picture

DESCRIPTION = Description(
    title="Interchange interventions",
    question="Do the latents that a factor names, taken from another image, bring its factor and nothing else?",
    position=105,
    scores={
        "mean_cause": "Share of exchanged images whose factor is read as the other image's, mean over factors.",
        "mean_isolation": "Share of the other factors that are read as before, mean over factors.",
        "balance": "Mean of cause and isolation: 1 is a factor alone in its latents, 0.5 what either extreme gets.",
        "mean_ceiling_cause": "Cause where all latents are exchanged: what decoder and reader allow.",
        "mean_ceiling_isolation": "Isolation where nothing is exchanged: what decoder and reader allow.",
        "num_named": "Latents that a factor names, mean over factors.",
    },
    main_scores=("mean_cause", "mean_isolation"),
    higher=("mean_cause", "mean_isolation", "balance"),
    pictures={
        "interchange": Picture(
            "A row for each factor: cause and isolation with their errors, and what decoder and reader allow.",
            "Good: both near the hollow marks; low cause: the factor is elsewhere too; low isolation: its latents hold "
            "other factors.",
        ),
    },
    needs="factors",
)

"""What the assay `factor_inference` asks, and what its scores and pictures mean."""

from __future__ import annotations

from lrx.assays.description import Description, Picture

DESCRIPTION = Description(
    title="Factor inference",
    question="How well do few labels read a factor from the latents that its responses name?",
    position=100,
    scores={
        "accuracy_{}_{}": "Accuracy of reading factors from {}, learned from {} labels, mean over factors.",
        "num_named": "Latents that a factor names, mean over factors; 1 is most specific.",
    },
    words={
        "named": "the latents that the factor names",
        "all": "all latents",
        "random": "as many random latents",
    },
    main_scores=("accuracy_named_100", "accuracy_all_100"),
    pictures={
        "factor_inference": Picture(
            "Accuracy over the number of labels: a panel a factor, a line a set of latents.",
            "Good: named latents reach the accuracy of all from few labels; bad: they do no better than random ones.",
        ),
    },
    needs="factors",
    in_paper=True,
)

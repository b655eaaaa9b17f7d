"""Description of the assay `factor_inference`."""

from __future__ import annotations

from lrx.assays.description import Description, Picture

DESCRIPTION = Description(
    title="Factor inference",
    question="How accurately can a factor be read from few labels and the latents that its responses name?",
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
    higher=("accuracy_{}_{}",),
    pictures={
        "factor_inference": Picture(
            "Accuracy over the number of labels: one panel per factor, one line per set of latents.",
            "Good: named latents reach the accuracy of all from few labels; bad: they are no better than random ones.",
        ),
    },
    needs="factors",
    in_paper=True,
)

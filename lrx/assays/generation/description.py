"""Question of the assay `generation`, and the meaning of its scores and pictures."""

from __future__ import annotations

from lrx.assays.description import Codes, Description, Picture

DESCRIPTION = Description(
    title="Generation",
    question="How close are decoded samples to images that were held out, for each source of latents?",
    position=90,
    scores={
        "frechet_{}": "Fréchet distance from held-out images, of {}; 0 is best.",
        "kernel_{}": "Kernel distance (cubic MMD) from held-out images, of {}; 0 is best.",
        "precision_{}": "Share of samples that lie among held-out images, of {}; larger is better.",
        "recall_{}": "Share of held-out images that lie among samples, of {}; larger is better.",
        "mean_u_{}": "Mean distance of the latents from the manifold, |h(z) - z|, of {}.",
        "probe_accuracy": "Accuracy of the network whose features are compared, on images it has not seen.",
    },
    words={
        "data": "the images themselves, as of a perfect generator",
        "prior": "draws from the prior",
        "hybrid": "codes whose latents are shuffled among images independently",
        "refined": "draws from the prior to which h was applied",
        "posterior": "codes of images",
        "posterior_sample": "draws from the posteriors of images",
    },
    main_scores=("frechet_prior", "frechet_refined"),
    higher=("precision_{}", "recall_{}"),
    lower=("frechet_{}", "kernel_{}", "mean_u_{}"),
    pictures={
        "generation": Picture(
            "A row of samples for each source of latents, and beside it its scores with their standard errors.",
            "Good: small distances, large precision and recall, near the row of data; bad: rows far from it.",
        ),
    },
    in_paper=True,
    codes=Codes(prior=True),
)

"""What the assay `reconstruction` asks, and what its scores and pictures mean."""

from __future__ import annotations

from lrx.assays.description import Description, Picture

DESCRIPTION = Description(
    title="Reconstruction",
    question="How well are images reconstructed from their codes, and what do the codes cost?",
    position=10,
    scores={
        "squared_error": "Squared error of a reconstructed image, summed over its pixels; 0 is perfect.",
        "cross_entropy": "Cross-entropy of an image under its reconstruction, in nats; at least the entropy.",
        "entropy": "Cross-entropy of an image with itself, in nats: what no model can go below.",
        "kl": "What the posterior of an image spends on its code, in nats: its KL divergence from the prior.",
        "negative_elbo": "Cross-entropy plus KL of an image, in nats: the bound that a VAE lowers.",
        "active_units": "Latents whose codes vary between images; 0.01 is the usual least variance.",
    },
    main_scores=("squared_error", "kl", "active_units"),
    pictures={
        "reconstruction": Picture(
            "A row of images, their reconstructions below, and bars of what each latent carries.",
            "Good: each lower image is its upper one again, with few coloured bars; bad: blur, or what changed.",
        ),
    },
    in_paper=True,
)

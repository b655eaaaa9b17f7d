"""Description of the assay `reconstruction`."""

from __future__ import annotations

from lrx.assays.description import Description, Picture

DESCRIPTION = Description(
    title="Reconstruction",
    question="How well are images reconstructed from their codes, and what do the codes cost?",
    position=10,
    scores={
        "squared_error": "Squared error of a reconstructed image, summed over its pixels; 0 is perfect.",
        "cross_entropy": "Cross-entropy of an image under its reconstruction, in nats; at least the entropy.",
        "entropy": "Cross-entropy of an image with itself, in nats: the lower bound for every model.",
        "kl": "KL divergence of the posterior of an image from the prior, in nats: the cost of its code.",
        "negative_elbo": "Cross-entropy plus KL of an image, in nats: the bound that a VAE minimises.",
        "active_units": "Active units: latents whose codes have a variance above `active`, 0.01 by default.",
    },
    main_scores=("squared_error", "kl", "active_units"),
    lower=("squared_error", "cross_entropy", "negative_elbo"),
    pictures={
        "reconstruction": Picture(
            "A row of images, their reconstructions below, and bars of the KL of each latent.",
            "Good: each lower image equals its upper one, with few coloured bars; bad: blur, or changed objects.",
        ),
    },
    in_paper=True,
)

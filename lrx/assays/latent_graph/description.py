"""What the assay `latent_graph` asks, and what its scores and pictures mean."""

from __future__ import annotations

from lrx.assays.description import Description, Picture

DESCRIPTION = Description(
    title="Latent causal graph",
    question="Which latents drag which others along, and how sure is that?",
    position=40,
    scores={
        "num_informative": "Latents that are nodes, as they answer to themselves: M_jj > 0.5 on the scale none.",
        "num_unidirectional": "Edges one way: setting the one latent moves the other, and not the reverse.",
        "num_bidirectional": "Pairs of latents that move each other.",
        "mean_stability": "Share of bootstrap replicates in which an edge is found again, mean over edges.",
    },
    main_scores=("num_unidirectional", "num_bidirectional"),
    pictures={
        "latent_graph": Picture(
            "Informative latents on a circle, and arrows from each to those that it moves.",
            (
                "Few arrows are good: latents are free of each other; many or wide arrows are bad: "
                "setting one moves others."
            ),
        ),
    },
    in_paper=True,
    shards=True,
)

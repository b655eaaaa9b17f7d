"""Description of the assay `latent_graph`: its question, and what its scores and pictures mean."""

from __future__ import annotations

from lrx.assays.description import Description, Picture

DESCRIPTION = Description(
    title="Latent causal graph",
    question="Setting which latent moves which other latents, and how certain is each edge?",
    position=40,
    scores={
        "num_informative": "Nodes: latents that respond to themselves, M_jj > 0.5 on the scale none.",
        "num_unidirectional": "Edges one way: setting one latent moves the other, but not the reverse.",
        "num_bidirectional": "Pairs of latents that move each other.",
        "mean_stability": "Share of bootstrap replicates that have the same edge, mean over edges.",
    },
    main_scores=("num_unidirectional", "num_bidirectional"),
    headline=True,
    pictures={
        "latent_graph": Picture(
            "Responses of informative latents to one another, and arrows from each to those that it moves most.",
            (
                "Good: few edges, latents that can be set independently; bad: many edges or wide arrows, "
                "where setting one moves others."
            ),
        ),
    },
    in_paper=True,
    shards=True,
)

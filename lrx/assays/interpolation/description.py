"""Question of the assay `interpolation`, and the meaning of its scores and pictures."""

from __future__ import annotations

from lrx.assays.description import Codes, Description, Picture

DESCRIPTION = Description(
    title="Interpolation",
    question="Which paths between the codes of two images stay near the manifold, and what changes along them?",
    position=80,
    scores={
        "mean_u_{}": "Mean distance from the manifold, |h(z) - z|, along {}; smaller is closer.",
        "jump_{}": "Largest over mean change of pixels between neighbouring points of {}; 1 is even.",
        "length_{}": "Length of {} in latent space.",
        "cost_{}": "Length plus the distance from the manifold along {}.",
        "kept_{}": "Share of points on {} where every factor that both ends share is unchanged; 1 is best.",
        "num_sharing": "Pairs of images that share a factor that the probe network reads.",
        "probe_accuracy": "Accuracy of the network that reads factors from images, on images it has not seen.",
    },
    words={
        "straight": "straight paths",
        "response": "straight paths pulled onto the manifold by h",
        "graph": "paths over a graph of responses",
        "relaxed": "paths lowered along the gradient of their cost",
    },
    main_scores=("kept_straight", "kept_graph"),
    higher=("kept_{}",),
    lower=("mean_u_{}", "jump_{}", "cost_{}"),
    pictures={
        "interpolation": Picture(
            "Scores and |u| of each kind of path, and below them strips of decoded images between pairs of images.",
            "Good: low |u|, even steps and factors that stay; bad: peaks of |u|, jumps, images unlike any in the data.",
        ),
    },
    in_paper=True,
    codes=Codes(continuous="moves latents continuously"),
)

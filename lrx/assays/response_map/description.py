"""Description of the assay `response_map`: its question, and what its scores and pictures mean."""

from __future__ import annotations

from lrx.assays.description import Codes, Description, Picture

DESCRIPTION = Description(
    title="Response map",
    question="Over a plane of two latents, where do responses contract, and where are ridges between basins?",
    position=60,
    scores={
        "num_pairs": "Pairs of latents that were mapped.",
        "first_latent": "The latent along x in the first map.",
        "second_latent": "The latent along y in the first map.",
        "mapped_latents": "Different latents in all maps.",
        "mapped_informative": "Of those, latents that respond to themselves: M_jj > 0.5 on the scale none.",
        "contracting": "Share of the map where the divergence is below 0: responses contract.",
        "divergence_median": "Median divergence over the map; -2 is a flat basin, 0 changes no area.",
        "divergence_least": "The strongest contraction on the map.",
        "divergence_error_median": "Median error of the divergence, estimated from differences over twice the spacing.",
    },
    main_scores=("contracting", "divergence_median"),
    pictures={
        "response_map": Picture(
            "Maps over two latents: divergence with flow lines, magnitude, curvature, images.",
            (
                "Good: blue everywhere, where responses contract, and codes where |u| is small; bad: red "
                "ridges among the codes."
            ),
        ),
        "response_map_pairs": Picture(
            "Small maps of all pairs of latents: divergence below the diagonal, magnitude above.",
            "Good: blue below the diagonal and dark above it; bad: red, where responses diverge.",
        ),
    },
    in_paper=True,
    shards=True,
    codes=Codes(prior=True, continuous="moves two latents continuously"),
)

"""Description of the assay `conditioned_response`."""

from __future__ import annotations

from lrx.assays.description import Description, Picture

DESCRIPTION = Description(
    title="Conditioned response matrix",
    question="When one factor of the data changes, which latents respond?",
    position=30,
    scores={
        "cds": "Causal Disentanglement Score: share of each latent's response that is to one factor; 1 is best.",
        "cds_corrected": "CDS corrected for chance: 0 where all factors have equal responses; 1 is best.",
        "completeness": "Share of the responses to each factor that comes from one latent; 1 is best.",
        "num_responsive": "Responsive latents: their response to some factor is above 0.5 (max_c C_cj > 0.5).",
        "num_uncovered": "Factors without a latent whose response is above the threshold; 0 is best.",
    },
    main_scores=("cds", "completeness", "num_uncovered"),
    higher=("cds", "cds_corrected", "completeness"),
    lower=("num_uncovered",),
    headline=True,
    pictures={
        "conditioned_response": Picture(
            "A heat map: a row for each factor that changes, a column for each latent.",
            (
                "Good: one bright cell in each row, in a column of its own; bad: a row without a bright cell, or "
                "several in one column."
            ),
        ),
    },
    needs="factors",
    in_paper=True,
    shards=True,
)

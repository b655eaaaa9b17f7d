"""What the assay `conditioned_response` asks, and what its scores and pictures mean."""

from __future__ import annotations

from lrx.assays.description import Description, Picture

DESCRIPTION = Description(
    title="Conditioned response matrix",
    question="When one factor of the data changes, which latents answer?",
    position=30,
    scores={
        "cds": "Causal Disentanglement Score: how far each latent answers to one factor alone; 1 is best.",
        "cds_corrected": "The CDS where 0 is what equal answers to all factors would give; 1 is best.",
        "completeness": "How far the answers to each factor come from one latent alone; 1 is best.",
        "num_answering": "Latents that answer to some factor with more than 0.5.",
        "num_uncovered": "Factors to which no latent answers with more than the threshold; 0 is best.",
    },
    main_scores=("cds", "completeness", "num_uncovered"),
    pictures={
        "conditioned_response": Picture(
            "A heat map: a row for each factor that changes, a column for each latent.",
            (
                "Good: one bright cell in each row, in a column of its own; bad: a row without one, or "
                "several in a column."
            ),
        ),
    },
    needs="factors",
    in_paper=True,
    shards=True,
)

"""Question of the assay `metrics`, and the meaning of its scores and pictures; scores are those of lrx/metrics."""

from __future__ import annotations

from lrx.assays.description import Description, Picture
from lrx.metrics import catalog

DESCRIPTION = Description(
    title="Disentanglement metrics",
    question="How disentangled are the codes by the established metrics, which need no responses?",
    position=110,
    scores={name: score.meaning for name, score in catalog.scores().items()},
    main_scores=("mig", "dci_disentanglement", "factorvae"),
    higher=tuple(name for name, score in catalog.scores().items() if score.range is not None),
    pictures={
        "metrics": Picture(
            "Dots with error bars for each metric, and heat maps of latents by factors.",
            "Good: dots to the right, and one bright cell in each column; bad: dots at chance, or columns evenly lit.",
        ),
    },
    needs="classes",
    in_paper=True,
)

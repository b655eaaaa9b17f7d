"""Summary of a result of the assay `interchange`: whether the latents of a factor bring it, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrx.assays.summary import Summary, share

if TYPE_CHECKING:
    from lrx.core.types import AssayResult

SURE = 0.8  # of what decoder and reader allow


def summarize(result: AssayResult) -> Summary:
    """Return how often a factor follows its latents and how often others stay, beside what is possible."""
    ceilings = [share(result, f"mean_ceiling_{name}") for name in ("cause", "isolation")]
    sentence = (
        f"The latents that a factor names bring its value in {share(result, 'mean_cause')} of images (at most "
        f"{ceilings[0]} with all latents), and leave other factors as they are in {share(result, 'mean_isolation')} "
        f"(at most {ceilings[1]} with none)."
    )
    low = min(result.scores["mean_ceiling_cause"], result.scores["mean_ceiling_isolation"]) < SURE
    doubt = f"Decoder and reader alone limit exchanges to {ceilings[0]} of values and {ceilings[1]} of other factors."
    return Summary(sentence, (doubt,) if low else ())

"""Summary of a result of the assay `factor_inference`: what the latents that a factor names are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrx.assays.summary import CLEAR, Summary, difference, share
from lrx.core import rounding

if TYPE_CHECKING:
    from lrx.core.types import AssayResult


def summarize(result: AssayResult) -> Summary:
    """Return the accuracy from the fewest labels on the named latents, on all, and on as many random ones."""
    labels = min(
        int(name.rpartition("_")[2]) for name in result.scores if name.startswith("accuracy_all_") and "se" not in name
    )
    named, every, random = (f"accuracy_{latents}_{labels}" for latents in ("named", "all", "random"))
    against = difference(result, named, random)
    verdict = "better than" if against > CLEAR else "worse than" if against < -CLEAR else "no better than"
    return Summary(
        f"From {labels:,} labels the {rounding.estimate(result.scores['num_named'])} latents that a factor names give "
        f"{share(result, named)} of its values right, {verdict} as many random ones ({share(result, random)}); all "
        f"latents give {share(result, every)}."
    )

"""Summary of a result of the assay `reconstruction`: its error, and the cost of codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrx.assays.summary import Summary, estimate

if TYPE_CHECKING:
    from lrx.core.types import AssayResult


def summarize(result: AssayResult) -> Summary:
    """Return the squared error of a reconstruction, and the KL and number of active latents of its code."""
    active, latents = int(result.scores["active_units"]), len(result.arrays["mean_variance"].values)
    kind = "an image" if "entropy" in result.scores else "a vector"
    cost = f", which costs {estimate(result, 'kl')} nats" if "kl" in result.scores else ""
    return Summary(
        f"The squared error of {kind} decoded from its code is {estimate(result, 'squared_error')}; {active} of "
        f"{latents} latents vary in the code{cost}."
    )

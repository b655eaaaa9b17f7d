"""Summary of a result of the assay `sparse_response`: whether features are read as they are set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrx.assays.summary import Summary, estimate, share

if TYPE_CHECKING:
    from lrx.core.types import AssayResult


def summarize(result: AssayResult) -> Summary:
    """Return mean gain and selectivity, and the features that go on when one is set."""
    scores = result.scores
    sentence = (
        f"A feature moves by {estimate(result, 'mean_gain')} of the change that was set, and "
        f"{share(result, 'mean_selectivity')} of all that moves is its own; "
        f"{estimate(result, 'mean_switched_on')} other features go on."
    )
    doubts = []
    never, overlap = (int(scores.get(f"num_{name}", 0)) for name in ("never_active", "hidden_overlap"))
    if never:
        doubts.append(f"{never:,} features are active on none of the vectors, and nothing is said of them.")
    if overlap:
        doubts.append(f"{overlap:,} features have hidden overlap, which may be a sign of absorption.")
    return Summary(sentence, tuple(doubts))

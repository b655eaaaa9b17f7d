"""Summary of a result of the assay `interpolation`: which paths stay near the manifold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrx.assays.interpolation.description import DESCRIPTION
from lrx.assays.summary import CLEAR, Summary, difference, estimate, share

if TYPE_CHECKING:
    from lrx.core.types import AssayResult

SURE = 0.8  # accuracy of the reader of factors, below which what it says is doubtful


def summarize(result: AssayResult) -> Summary:
    """Return the paths that are nearest to the manifold beside straight ones, and what stays along these."""
    paths = [str(path) for path in result.coordinates["path"]]
    nearest = min(paths, key=lambda path: result.scores[f"mean_u_{path}"])
    straight = estimate(result, "mean_u_straight")
    if nearest == "straight":
        sentence = f"Straight paths are nearest to the manifold, at a mean distance |u| of {straight}"
    else:
        clear = difference(result, "mean_u_straight", f"mean_u_{nearest}") > CLEAR
        words = DESCRIPTION.words.get(nearest, nearest)
        sentence = (
            f"{words[0].upper()}{words[1:]} are {'nearer' if clear else 'not clearly nearer'} to the manifold than "
            f"straight ones, |u| {estimate(result, f'mean_u_{nearest}')} and {straight}"
        )
    if "kept_straight" not in result.scores:
        return Summary(f"{sentence}.")
    sentence += f"; factors that both ends share stay on {share(result, 'kept_straight')} of a straight path"
    accuracy = result.scores.get("probe_accuracy", 1.0)
    reads = f"What stays along paths is read by a network that is right in {share(result, 'probe_accuracy')} of images."
    return Summary(f"{sentence}.", (reads,) if accuracy < SURE else ())

"""Images after each trip, curves of drift, step and quality, and the drift of each channel, from a results file."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lrx.assays.plotting import style
from lrx.assays.plotting.curves import draw_curves, draw_rows
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.assays.plotting.heading import heading
from lrx.assays.plotting.image_grid import is_image, show_sheet
from lrx.core.text import with_error
from lrx.core.types import AssayResult
from lrx.storage import results

WIDE = 5.0  # inches from which the curves lie side by side
COLUMNS, FEW = 9, 6  # images of a row, at most, and in one column
LEFT, CURVES, BELOW, ROWS = 0.55, 1.35, 0.55, 1.25  # inches beside, of and below curves, and of the rows


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the picture, by the name of its file."""
    arrays, images = result.arrays, result.arrays["images"].values
    pictures = is_image(images)
    trips = result.coordinates["trip"]
    width = style.width(style.DOUBLE)
    columns = 2 if width >= WIDE else 1
    most = COLUMNS if width >= WIDE else FEW
    shown = np.unique(np.linspace(0, len(trips), min(most, len(trips) + 1)).round().astype(int))
    across = min(width - 0.1, 0.9 * len(shown))
    strip = across / len(shown) * len(images) * images.shape[-2] / images.shape[-1] if pictures else 0.0
    lines = 2 // columns
    height = (strip + 0.15 if pictures else 0.0) + lines * (CURVES + BELOW) + ROWS + BELOW
    figure = style.figure(width, height)

    def panel(left: float, bottom: float, wide: float, high: float) -> Axes:
        return figure.add_axes((left / width, bottom / height, wide / width, high / height))

    by_channel = next(array for name, array in arrays.items() if name.startswith("drift_by_") and "_se" not in name)
    rows = panel(LEFT, 0, width - LEFT - 0.45, ROWS)
    draw_rows(rows, by_channel, trips)
    rows.set_title(f"drift of each {by_channel.axes[1]}, over its spread", loc="left", pad=3)
    wide = width / columns - LEFT
    bottom = ROWS + BELOW + 0.1
    left = panel(LEFT, bottom + (lines - 1) * (CURVES + BELOW), wide, CURVES)
    pair = {name: (arrays[name].values, arrays[f"{name}_se"].values) for name in ("drift", "step")}
    draw_curves(left, trips, pair)
    left.set_ylim(bottom=0)
    left.set_ylabel("over the spread of codes")
    right = panel(width - wide, bottom, wide, CURVES)
    name = "psnr" if "psnr" in arrays else "relative_error"
    draw_curves(right, trips, {name: (arrays[name].values, arrays[f"{name}_se"].values)})
    right.set_ylabel("PSNR (dB)" if name == "psnr" else "relative squared error")
    if not np.isfinite(arrays[name].values).any():
        right.text(0.5, 0.5, "exact", ha="center", va="center", color=style.QUIET, transform=right.transAxes)
    for axes in (left, right):
        axes.set_xlabel("trip", labelpad=1)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    head, key = left, ""
    if pictures:
        head = panel(0.05, height - strip, across, strip)
        show_sheet(head, images[:, shown], gap=max(1, images.shape[-1] // 32))
        key = f"images after {', '.join(map(str, shown))} trips"
    heading(head, "Round trips", _caption(result, provenance), key=key)
    return {"round_trips": figure}


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    scores, settings = result.scores, result.settings
    clamp = "decoded pixels cut to [0, 1]" if settings["clamp"] else "decoded as they are, not clamped"
    return figure_caption(
        result,
        provenance,
        f"{settings['num_images']:,} images",
        clamp,
        f"drift {with_error(scores['first_drift'], scores['first_drift_se'])} after the first trip",
        f"{with_error(scores['last_drift'], scores['last_drift_se'])} after the last",
        f"last step over the first {with_error(scores['remaining_step'], scores['remaining_step_se'])}",
    )

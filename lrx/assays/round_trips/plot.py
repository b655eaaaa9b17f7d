"""Images after each trip, curves of drift, step and quality, and the drift of each channel, from a results file."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lrx.assays.plotting import style
from lrx.assays.plotting.curves import draw_curves, draw_rows
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.assays.plotting.heading import heading
from lrx.assays.plotting.image_grid import is_image, show_sheet
from lrx.assays.plotting.panels import LEFT, add_panel, panel_boxes
from lrx.core.text import with_error
from lrx.core.types import AssayResult
from lrx.storage import results

COLUMNS = 9  # images of a row, at most
CURVES, ROWS = 1.6, 1.5  # inches of the panels


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the picture, by the name of its file."""
    arrays, images = result.arrays, result.arrays["images"].values
    pictures = is_image(images)
    trips = result.coordinates["trip"]
    shown = np.unique(np.linspace(0, len(trips), min(COLUMNS, len(trips) + 1)).round().astype(int))
    width = style.width(style.DOUBLE)
    strip = width / len(shown) * len(images) * images.shape[-2] / images.shape[-1] if pictures else 0.0
    boxes, high = panel_boxes(2, width, CURVES)
    size = width, strip + high + ROWS + 1.0
    figure = style.figure(*size)
    by_channel = next(array for name, array in arrays.items() if name.startswith("drift_by_") and "_se" not in name)
    rows = add_panel(figure, (LEFT, 0.35, width - LEFT - 0.4, ROWS), size)
    draw_rows(rows, by_channel, trips)
    rows.set_title(f"drift of each {by_channel.axes[1]}, over its spread", loc="left")
    middle = ROWS + 0.75
    left, right = (add_panel(figure, box, size, above=middle) for box in boxes)
    pair = {name: (arrays[name].values, arrays[f"{name}_se"].values) for name in ("drift", "step")}
    draw_curves(left, trips, pair)
    left.set_ylim(bottom=0)
    left.set_ylabel("over the spread of codes")
    name = "psnr" if "psnr" in arrays else "relative_error"
    draw_curves(right, trips, {name: (arrays[name].values, arrays[f"{name}_se"].values)})
    right.set_ylabel("PSNR (dB)" if name == "psnr" else "relative squared error")
    if not np.isfinite(arrays[name].values).any():
        right.text(0.5, 0.5, "exact", ha="center", va="center", color=style.QUIET, transform=right.transAxes)
    for axes in (left, right):
        axes.set_xlabel("trip", labelpad=1)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    caption = _caption(result, provenance, shown if pictures else None)
    head = left
    if pictures:
        head = add_panel(figure, (0, middle + high + 0.15, width, strip), size)
        show_sheet(head, images[:, shown], gap=max(1, images.shape[-1] // 32))
    heading(head, "Round trips", caption)
    return {"round_trips": figure}


def _caption(result: AssayResult, provenance: results.Provenance, shown: np.ndarray | None) -> str:
    scores, settings = result.scores, result.settings
    clamp = "decoded pixels cut to [0, 1]" if settings["clamp"] else "decoded as they are, not clamped"
    return figure_caption(
        result,
        provenance,
        f"{settings['num_images']:,} images",
        f"images after {', '.join(map(str, shown))} trips" if shown is not None else "",
        clamp,
        f"drift {with_error(scores['first_drift'], scores['first_drift_se'])} after the first trip",
        f"{with_error(scores['last_drift'], scores['last_drift_se'])} after the last",
        f"last step over the first {with_error(scores['remaining_step'], scores['remaining_step_se'])}",
    )

"""Curves of gain, pull and distance to the code over the level of noise, and gain of each channel."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from lrx.assays.plotting import style
from lrx.assays.plotting.curves import draw_curves, draw_rows
from lrx.assays.plotting.figure_caption import figure_caption, score_text
from lrx.assays.plotting.heading import heading
from lrx.core.types import AssayResult
from lrx.storage import results

PANELS = (  # label of the axis, curves
    ("over the noise", {"gain": "gain", "to_code": "to the code", "pull": "pull"}),
    ("gain", {"gain": "all noise", "gain_on": "on the codes", "gain_off": "off the codes"}),
)
WIDE = 5.0  # inches from which the curves lie side by side
LEFT, HIGH, BELOW, ROWS = 0.55, 1.5, 0.5, 1.15  # inches beside, of and below curves, and of the rows


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the picture, by the name of its file."""
    arrays, levels = result.arrays, result.coordinates["level"]
    width = style.width(style.DOUBLE)
    columns = 2 if width >= WIDE else 1
    wide, lines = width / columns - LEFT, len(PANELS) // columns
    height = lines * (HIGH + BELOW) + ROWS + BELOW
    figure = style.figure(width, height)
    heads = []
    for number, (label, names) in enumerate(PANELS):
        line, column = divmod(number, columns)
        left, bottom = LEFT + column * (wide + LEFT), height - line * (HIGH + BELOW) - HIGH
        axes = figure.add_axes((left / width, bottom / height, wide / width, HIGH / height))
        curves = {words: (arrays[name].values, arrays[f"{name}_se"].values) for name, words in names.items()}
        draw_curves(axes, levels, curves)
        axes.axhline(1, color=style.QUIET, linewidth=0.7, linestyle=(0, (4, 3)))
        axes.set_xscale("log")
        axes.set_xticks(levels, [f"{level:g}" for level in levels])
        axes.minorticks_off()
        if number == 0 and all(values.min() > 0 for values, _ in curves.values()):
            axes.set_yscale("log")  # pull and distance are large where noise is small
            low, high = axes.get_ylim()
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 50 * low else (1,)))
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())  # theirs is mathematics, which names do not have
        else:
            axes.set_ylim(bottom=0)
        axes.set_xlabel("noise (standard deviations of codes)", labelpad=1)
        axes.set_ylabel(label)
        heads.append(axes)
    by_channel = next(array for name, array in arrays.items() if name.startswith("gain_by_") and "_se" not in name)
    rows = figure.add_axes((LEFT / width, 0, (width - LEFT - 0.45) / width, ROWS / height))
    draw_rows(rows, by_channel, levels)
    rows.set_title(f"gain of each {by_channel.axes[1]}", loc="left", pad=3)
    heading(heads[0], "Contraction", _caption(result, provenance))
    return {"contraction": figure}


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    settings = result.settings
    smallest = float(result.coordinates["level"][0])

    return figure_caption(
        result,
        provenance,
        f"codes of {settings['num_images']:,} images",
        f"at level {smallest:g}: gain {score_text(result, 'gain_smallest')}",
        f"on the codes {score_text(result, 'gain_on_smallest')}",
        f"off the codes {score_text(result, 'gain_off_smallest')}",
    )

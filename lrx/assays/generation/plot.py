"""Picture of the samples of every source of latents as rows of images with their scores, from a results file."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.assays.plotting.dot_columns import draw_column, name_rows
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.assays.plotting.heading import heading
from lrx.assays.plotting.image_grid import is_image, show_sheet
from lrx.core.types import AssayResult
from lrx.storage import results

ROW, GAP, HEAD = 0.4, 2, 0.4  # inches of a row, pixels between samples, inches of the heads of columns
LABELS, COLUMN = 0.95, 0.63  # inches of the names of sources, and of a column of scores
WIDE = 5.0  # inches from which scores stand beside the samples
COLUMNS = (  # name, head, value at the right edge
    ("frechet", "Fréchet\ndist. ↓", None),
    ("kernel", "kernel\ndist. ↓", None),
    ("precision", "precision\n↑", 1.0),
    ("recall", "recall\n↑", 1.0),
    ("mean_u", "mean |u|\n(latent)", None),
)
WORDS = {
    "data": "data",
    "prior": "prior",
    "hybrid": "hybrid",
    "refined": "refined",
    "posterior": "posterior means",
    "posterior_sample": "posterior samples",
}


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw `generation`: a row for each source; samples that are no images are left out."""
    samples = result.arrays["samples"].values
    names = [WORDS.get(str(source), str(source)) for source in result.coordinates["source"]]
    wide, pictured, high = style.width(style.DOUBLE), is_image(samples), ROW * len(names)
    beside = wide >= WIDE or not pictured
    column = COLUMN if wide >= WIDE else (wide - LABELS) / len(COLUMNS)
    room = wide - LABELS - (len(COLUMNS) * column + 0.1 if beside else 0)
    aspect = samples.shape[-1] / samples.shape[-2] if pictured else 1.0
    shown = min(samples.shape[1], max(1, int(room / (ROW * aspect))))
    height = high if beside else 2 * high + HEAD
    figure = style.figure(wide, height)
    left = LABELS
    rows: list[Axes] = []
    if pictured:
        across = shown * ROW * aspect
        rows.append(figure.add_axes((left / wide, (height - high) / height, across / wide, high / height)))
        show_sheet(rows[0], samples[:, :shown], gap=GAP)
        rows[0].set_aspect("auto")  # the box has the aspect, but for the gaps
        left += across + 0.1 if beside else 0
    for number, (kind, words, top) in enumerate(COLUMNS):
        axes = figure.add_axes(((left + number * column) / wide, 0, 0.9 * column / wide, high / height))
        values, errors = result.arrays[kind].values, result.arrays[f"{kind}_se"].values
        draw_column(axes, values, errors, words, points=72 * column, top=top)
        if number == 0 and (not pictured or not beside):
            rows.append(axes)
    for axes in rows:
        name_rows(axes, names)
    above = 20 if beside else 0
    heading(rows[0], "Generation", _caption(result, provenance), above=above)
    return {"generation": figure}


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    settings = result.settings
    bias = dict(zip(result.coordinates["source"], result.arrays["frechet_bias"].values, strict=True))
    space = f"{settings['num_features']} principal components of pixels"
    if settings["features"] == "probe":
        space = (
            f"{settings['num_features']} features of a probe network (accuracy {result.scores['probe_accuracy']:.2f})"
        )
    if settings["features"] == "inception":
        space = (
            f"{settings['num_features']} features of Inception v3 ({settings['inception_variant']} weights, "
            f"sha256 {str(settings['inception_sha256'])[:8]})"
        )
    return figure_caption(
        result,
        provenance,
        f"{settings['num_samples']:,} samples a source against as many held-out images",
        space,
        f"refined: h {settings['refinements']} times",
        f"of the Fréchet distance of data, {bias['data']:.2f} is due to finite samples",
    )

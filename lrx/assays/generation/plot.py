"""Picture of the samples of every source of latents as rows of images with their scores, from a results file."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.assays.plotting.annotations import NONE, error_digits, write_text
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.assays.plotting.image_grid import is_image, show_sheet
from lrx.core.types import AssayResult
from lrx.storage import results

ROW = 0.62  # inches of a sample
GAP = 2  # pixels between samples
HEAD = 0.35  # inches of the heads of columns
NUMBERS = 0.92  # inches of a column of scores
COLUMNS = (
    ("frechet", "Fréchet\ndistance ↓"),
    ("kernel", "kernel\ndistance ↓"),
    ("precision", "precision ↑"),
    ("recall", "recall ↑"),
    ("mean_u", "mean |u|\n(latent)"),
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
    sources = [str(source) for source in result.coordinates["source"]]
    pictured = is_image(samples)
    aspect = samples.shape[-1] / samples.shape[-2] if pictured else 0.0
    wide, high = max(0.05, ROW * aspect * samples.shape[1]), ROW * len(sources)
    labels, table = 1.35, NUMBERS * len(COLUMNS)
    width, height = labels + wide + table + 0.2, high + HEAD + 1
    figure = style.figure(width, height)
    axes = figure.add_axes((labels / width, 0.1 / height, wide / width, high / height))
    if pictured:
        show_sheet(axes, samples, gap=GAP)
        axes.set_aspect("auto")  # the box has the aspect, but for the gaps
    else:
        axes.axis("off")
    decimals = {kind: _decimals(result.arrays[f"{kind}_se"].values) for kind, _ in COLUMNS}
    for row, source in enumerate(sources):
        middle = 1 - (row + 0.5) / len(sources)
        write_text(axes, (0, middle), (-8, 0), WORDS.get(source, source), align="right", size=9)
        for column, (kind, _) in enumerate(COLUMNS):
            value, se = (float(result.arrays[name].values[row]) for name in (kind, f"{kind}_se"))
            place = 72 * (NUMBERS * (column + 0.5) + 0.1)
            if not math.isfinite(value):
                write_text(axes, (1, middle), (place, 0), NONE, size=9, colour=style.QUIET)
                continue
            error = f"±{error_digits(se, decimals[kind])}"
            write_text(axes, (1, middle), (place, 5), f"{value:.{decimals[kind]}f}", size=9)
            write_text(axes, (1, middle), (place, -6), error, size=7, colour=style.QUIET)
    for column, (_, words) in enumerate(COLUMNS):
        place = 72 * (NUMBERS * (column + 0.5) + 0.1)
        write_text(axes, (1, 1), (place, 14), words, size=8, colour=style.QUIET)
    head = figure.add_axes((labels / width, (0.1 + high + HEAD) / height, wide / width, 0.01 / height))
    head.axis("off")
    style.title(head, "Generation", _caption(result, provenance), characters=int(17 * (wide + table)))
    return {"generation": figure}


def _decimals(errors: np.ndarray) -> int:
    """Return the decimals of a column: up to the first digit of its largest error, at least two and at most four."""
    largest = float(np.nanmax(errors[np.isfinite(errors)], initial=0.0))
    return min(4, max(2, -math.floor(math.log10(largest)))) if largest > 0 else 2


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

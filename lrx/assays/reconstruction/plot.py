"""Images above their reconstructions, and bars of the KL or variance of each latent."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.assays.plotting.figure_caption import figure_caption, score_text
from lrx.assays.plotting.heading import heading
from lrx.assays.plotting.image_grid import is_image, show_sheet
from lrx.core.types import AssayResult
from lrx.storage import results

WIDE = 5.0  # inches from which all images are drawn
BARS, BETWEEN, AXIS = 1.0, 0.35, 0.4  # inches of the panel of latents, above and below it
POINTS = 2.2  # inches in height of the panel of vectors
MOST = 8  # images in one column


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the picture, by the name of its file."""
    pairs = result.arrays["pair"].values
    pictures = is_image(pairs)
    width = style.width(style.DOUBLE)
    shown = pairs if width >= WIDE else pairs[:MOST]
    strip = POINTS
    across = width - 0.1
    if pictures:
        cell = min(across / len(shown), 0.9 * pairs.shape[-1] / pairs.shape[-2])
        across, strip = cell * len(shown), 2 * cell * pairs.shape[-2] / pairs.shape[-1]
    height = strip + BETWEEN + BARS + AXIS
    figure = style.figure(width, height)
    box = 0.05 / width, (height - strip) / height, across / width, strip / height
    upper = figure.add_axes(box)
    if pictures:
        show_sheet(upper, shown.swapaxes(0, 1), gap=max(1, pairs.shape[-1] // 32))
    else:
        _points(upper, pairs.reshape(len(pairs), 2, -1))
    _latents(figure.add_axes((0.05 / width, AXIS / height, 1 - 0.1 / width, BARS / height)), result)
    key = "upper row: images; lower row: their reconstructions" if pictures else ""
    heading(upper, "Reconstructions", _caption(result, provenance), key=key)
    return {"reconstruction": figure}


def _points(axes: Axes, pairs: np.ndarray) -> None:
    """Draw vectors (N, 2, P): each component of the reconstruction over that of the observation."""
    axes.plot(pairs[:, 0].ravel(), pairs[:, 1].ravel(), ".", color=style.ACCENT)
    low, high = float(pairs.min()), float(pairs.max())
    axes.plot([low, high], [low, high], color=style.QUIET, linewidth=0.7, linestyle=(0, (4, 3)))
    axes.set_xlabel("observation")
    axes.set_ylabel("reconstruction")


def _latents(axes: Axes, result: AssayResult) -> None:
    """Draw the KL of each latent, largest first; the variance of its codes where there is no posterior."""
    name = "kl_per_latent" if "kl_per_latent" in result.arrays else "mean_variance"
    values = result.arrays[name].values
    order = np.argsort(-values, kind="stable")
    active = result.arrays["mean_variance"].values[order] > float(result.settings["active"] or 0)
    colours = [style.ACCENT if on else "#c4c7c9" for on in active]
    errors = result.arrays[f"{name}_se"].values[order] if f"{name}_se" in result.arrays else None
    axes.bar(np.arange(len(values)), values[order], color=colours, yerr=errors, error_kw={"linewidth": 0.7})
    every = -(-len(values) // (32 if style.width(style.DOUBLE) >= WIDE else 14))
    axes.set_xticks(np.arange(0, len(values), every), [str(latent) for latent in order[::every]])
    axes.set_xlim(-0.6, len(values) - 0.4)
    axes.set_xlabel("latent, largest first; coloured: active", labelpad=1)
    axes.set_title(
        "KL of each latent in nats" if name == "kl_per_latent" else "variance of each latent's codes",
        loc="left",
        pad=3,
    )
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    scores, settings = result.scores, result.settings

    return figure_caption(
        result,
        provenance,
        f"{settings['num_images']:,} images, the first {settings['shown']} shown",
        f"squared error {score_text(result, 'squared_error')} an image",
        f"cross-entropy {score_text(result, 'cross_entropy')} nats" if "cross_entropy" in scores else "",
        f"KL {score_text(result, 'kl')} nats" if "kl" in scores else "",
        f"{scores['active_units']:.0f} active latents (coloured)",
    )

"""Images above their reconstructions, and bars of the KL or variance of each latent."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.assays.plotting.figure_caption import figure_caption, score_text
from lrx.assays.plotting.image_grid import is_image, show_sheet
from lrx.core.types import AssayResult
from lrx.storage import results

CELL = 0.55  # inches of an image
BARS = 1.3  # inches of the panel of latents


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the picture, by the name of its file."""
    pairs = result.arrays["pair"].values
    pictures = is_image(pairs)
    width = max(4.2, len(pairs) * CELL) if pictures else 4.2
    strip = 2 * width / len(pairs) if pictures else 2.2
    height = strip + 0.75 + BARS
    figure = style.figure(width, height)
    upper = figure.add_axes((0, (height - strip) / height, 1, strip / height))
    if pictures:
        show_sheet(upper, pairs.swapaxes(0, 1), gap=max(1, pairs.shape[-1] // 32))
    else:
        _points(upper, pairs.reshape(len(pairs), 2, -1))
    _latents(figure.add_axes((0.02, 0.32 / height, 0.96, BARS / height)), result)
    style.title(upper, "Reconstructions", _caption(result, provenance), characters=max(50, int(17 * width)))
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
    axes.set_xticks(np.arange(len(values)), [str(latent) for latent in order], fontsize=7 if len(values) <= 32 else 4)
    axes.set_xlim(-0.6, len(values) - 0.4)
    axes.set_xlabel("latent, largest first", fontsize=8, labelpad=1)
    axes.set_title(
        "KL of each latent in nats" if name == "kl_per_latent" else "variance of each latent's codes",
        fontsize=8,
        loc="left",
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

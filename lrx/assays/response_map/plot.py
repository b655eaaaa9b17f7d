"""Response maps as pictures, from a results file alone: one pair of latents in detail, and many pairs on one page."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from lrx.assays.plotting import style
from lrx.assays.plotting.figure_caption import figure_caption
from lrx.assays.plotting.heading import heading
from lrx.assays.plotting.image_grid import is_image, show_sheet
from lrx.core.types import AssayResult
from lrx.storage import results

DIVERGING = "RdBu_r"  # white at 0, blue where responses contract
PERCENTILE = 99  # of the values, where colours end, so that the poles at fixed points do not bleach the rest
CLIPPED = f"pointed scales: colours end at the {PERCENTILE}th percentile of the map"
ARROWS = 10  # arrows a side on a page of many pairs
WIDE = 5.0  # inches from which maps lie side by side
NARROW = 1.3  # inches of a map in one column, so that four below one another fit a page
NAME = "response_map"


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the first pair in detail, and of several pairs all of them on one page."""
    by_name = {NAME: _one_pair(result, provenance)}
    if len(result.arrays["latents"].values) > 1:
        by_name[f"{NAME}_pairs"] = _all_pairs(result, provenance)
    return by_name


def _one_pair(result: AssayResult, provenance: results.Provenance) -> Figure:
    """Draw the divergence with flow lines of u, the magnitude, the curvature, and observations of the plane."""
    width = style.width(style.DOUBLE)
    columns = 2 if width >= WIDE else 1
    side = width / columns - 1.0 if columns > 1 else NARROW
    across, down = width / columns, side + 0.6
    rows = (4 if "decoded" in result.arrays else 3) / columns
    height = int(rows + 0.5) * down
    figure = style.figure(width, height)

    def box(number: int) -> Axes:
        row, column = divmod(number, columns)
        left, bottom = 0.4 + column * across, height - row * down - side - 0.1
        return figure.add_axes((left / width, bottom / height, side / width, side / height))

    divergence, magnitude, curvature = box(0), box(1), box(2)
    values = result.arrays["divergence"].values[0]
    clipped = [_bar(divergence, _map(divergence, result, values, _around_zero("divergence", values)))]
    _head(divergence, "divergence of u, and its flow lines")
    _streams(divergence, result)
    values = result.arrays["magnitude"].values[0]
    norm = Normalize(0, style.shared("magnitude", 0, _top(values))[1])
    clipped.append(_bar(magnitude, _map(magnitude, result, values, norm, style.SEQUENTIAL)))
    _posterior(magnitude, result)
    values = result.arrays["curvature"].values[0]
    clipped.append(_bar(curvature, _map(curvature, result, values, _around_zero("curvature", values))))
    _head(curvature, "mean curvature of flow lines (1/latent)")
    if "decoded" in result.arrays:
        _decoded(box(3), result)
    heading(divergence, "Response map", _caption(result, provenance), key=CLIPPED if any(clipped) else "", above=13)
    return figure


def _head(axes: Axes, text: str) -> None:
    axes.set_title(text, fontsize=style.TICK, loc="left", pad=3)


def _all_pairs(result: AssayResult, provenance: results.Provenance) -> Figure:
    """Draw the divergence of each pair below the diagonal, |u| above it: row and column are the latents."""
    pairs = result.arrays["latents"].values
    mapped = sorted(set(pairs.ravel().tolist()))
    total = style.width(style.DOUBLE) - 1.2
    figure = style.figure(total + 1.2, total + 0.5)
    divergence, magnitude = (result.arrays[name].values for name in ("divergence", "magnitude"))
    norms = _around_zero("divergence", divergence), Normalize(0, style.shared("magnitude", 0, _top(magnitude))[1])
    bars: dict[str, AxesImage] = {}
    page = figure.add_axes((0.45 / (total + 1.2), 0.4 / (total + 0.5), total / (total + 1.2), total / (total + 0.5)))
    page.set_xlim(0, len(mapped))
    page.set_ylim(0, len(mapped))
    page.set_xticks(np.arange(len(mapped)) + 0.5, [str(latent) for latent in mapped])
    page.set_yticks(np.arange(len(mapped)) + 0.5, [str(latent) for latent in reversed(mapped)])
    page.tick_params(length=0)
    page.set_xlabel("latent along x")
    page.set_ylabel("latent along y")
    page.set_frame_on(False)
    for number, pair in enumerate(pairs.tolist()):
        column, row = mapped.index(pair[0]), mapped.index(pair[1])
        below, above = (
            page.inset_axes((x + 0.03, len(mapped) - 1 - y + 0.03, 0.94, 0.94), transform=page.transData)
            for x, y in ((column, row), (row, column))
        )
        bars["divergence of u"] = _map(below, result, divergence[number], norms[0])
        _arrows(below, result, number)
        bars["|u| in the plane (latent)"] = _map(above, result, magnitude[number].T, norms[1], style.SEQUENTIAL)
        for axes in (below, above):
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_xlabel("")
            axes.set_ylabel("")
    for place, (label, image) in enumerate(bars.items()):
        bar = page.inset_axes((1 + 0.1 / total, 0.55 * (1 - place), 0.12 / total, 0.45))
        figure.colorbar(image, cax=bar, label=label, extend="both" if place == 0 else "max").outline.set_visible(False)
    heading(page, "Response maps of pairs of latents", _caption(result, provenance), key=CLIPPED)
    return figure


def _map(axes: Axes, result: AssayResult, values: np.ndarray, norm: Normalize, colours: str = DIVERGING) -> AxesImage:
    first, second = (result.coordinates[axis] for axis in ("first", "second"))
    half = (first[1] - first[0]) / 2
    extent = (first[0] - half, first[-1] + half, second[0] - half, second[-1] + half)
    image = axes.imshow(values, cmap=colours, norm=norm, origin="lower", extent=extent, interpolation="nearest")
    along_x, along_y = result.arrays["latents"].values[0]
    axes.set_xlabel(f"latent {along_x}", labelpad=1)
    axes.set_ylabel(f"latent {along_y}", labelpad=0)
    axes.set_facecolor("0.85")  # no curvature at fixed points
    return image


def _bar(axes: Axes, image: AxesImage) -> bool:
    """Draw the scale of a map, with points where colours end before the values; return whether they do."""
    values: np.ndarray = np.ma.masked_invalid(np.ma.asarray(image.get_array()))
    least, most = image.get_clim()
    low, top = bool((values < least).any()), bool((values > most).any())
    bar = axes.inset_axes((1.03, 0, 0.04, 1))
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[low, top]
    axes.figure.colorbar(image, cax=bar, extend=extend).outline.set_visible(False)
    return low or top


def _streams(axes: Axes, result: AssayResult) -> None:
    u = result.arrays["u"].values[0]
    if not np.hypot(*u).max() > 0:
        return
    first, second = (result.coordinates[axis] for axis in ("first", "second"))
    axes.streamplot(
        first, second, u[0], u[1], density=1.1, color="0.15", linewidth=0.5, arrowsize=0.6, broken_streamlines=True
    )
    axes.set_xlim(axes.images[0].get_extent()[:2])
    axes.set_ylim(axes.images[0].get_extent()[2:])


def _arrows(axes: Axes, result: AssayResult, number: int) -> None:
    u = result.arrays["u"].values[number]
    step = max(1, u.shape[-1] // ARROWS)
    some = slice(step // 2, None, step)
    first, second = (result.coordinates[axis][some] for axis in ("first", "second"))
    axes.quiver(first, second, *u[:, some, some], color="0.15", width=0.006, pivot="mid")


def _posterior(axes: Axes, result: AssayResult) -> None:
    """Draw the codes of images as dots on the map."""
    if "posterior" not in result.arrays:
        _head(axes, "|u| in the plane (latent)")
        return
    codes = result.arrays["posterior"].values[0]
    axes.scatter(codes[:, 0], codes[:, 1], s=1.5, color="white", alpha=0.5, linewidths=0)
    axes.set_xlim(axes.images[0].get_extent()[:2])
    axes.set_ylim(axes.images[0].get_extent()[2:])
    _head(axes, f"|u| in the plane (latent); dots: codes of {len(codes):,} images")


def _decoded(axes: Axes, result: AssayResult) -> None:
    decoded = result.arrays["decoded"].values[0]
    ends = [f"{value:g}" for value in result.coordinates["decoded_first"][[0, -1]]]
    _head(axes, f"decoded, from {ends[0]} to {ends[1]}" + ("" if is_image(decoded) else "; first component"))
    along_x, along_y = result.arrays["latents"].values[0]
    axes.set_xlabel(f"latent {along_x}", labelpad=1)
    axes.set_ylabel(f"latent {along_y}", labelpad=0)
    if is_image(decoded):
        show_sheet(axes, decoded[::-1], gap=1)
        return
    # vectors: the first component over the plane
    flat = decoded.reshape(*decoded.shape[:2], -1)[..., 0].astype(np.float64)
    values = result.coordinates["decoded_first"]
    half = (values[1] - values[0]) / 2 if len(values) > 1 else 0.5
    extent = (values[0] - half, values[-1] + half) * 2
    image = axes.imshow(flat, cmap=style.SEQUENTIAL, origin="lower", extent=extent, interpolation="nearest")
    _bar(axes, image)


def _around_zero(name: str, values: np.ndarray) -> Normalize:
    """Return colours symmetric around 0, up to the 99th percentile of the magnitude."""
    top = style.shared(name, 0, _top(np.abs(values)))[1]
    return TwoSlopeNorm(0, -top, top)


def _top(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return max(float(np.percentile(finite, PERCENTILE)), 1e-6) if len(finite) else 1.0


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    settings, error = result.settings, result.scores.get("divergence_error_median")
    image = f" {settings['index']}" if settings["index"] is not None else ""
    exact = settings["derivative"] == "exact"
    return figure_caption(
        result,
        provenance,
        _latents(result),
        f"all other latents as at the base: {settings['base']}{image}",
        f"{settings['resolution']} x {settings['resolution']} points",
        "exact derivatives" if exact else "derivatives from differences between points",
        f"median error of the divergence {error:.1g}" if error is not None else "",
    )


def _latents(result: AssayResult) -> str:
    """Name the latents of the first map, and say who chose them."""
    along_x, along_y = result.arrays["latents"].values[0]
    names, pairs = f"latents {along_x} and {along_y}", len(result.arrays["latents"].values)
    if result.settings["latents"] == "auto":
        return f"{names}: of informative latents, the pair that move each other most"
    return names if pairs == 1 else f"{names}, the first of {pairs} pairs"

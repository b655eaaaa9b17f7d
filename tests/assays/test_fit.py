"""Fit of figures to a width: exact sizes, nothing cut, nothing wasted."""

from __future__ import annotations

import io

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.assays.plotting.fit import GROWTH, MARGIN, fit
from lrx.assays.plotting.heading import heading
from lrx.assays.plotting.page import Page, on_page


def two_panels(wide: float, high: float, label: str = "a label") -> Figure:
    """Return a figure of a heat map with a bar and of a curve, whose labels hang out of it."""
    figure = style.figure(wide, high)
    first, second = (figure.add_axes((left, 0.1, 0.4, 0.8)) for left in (0, 0.55))
    image = first.imshow(np.arange(12).reshape(3, 4), aspect="auto")
    figure.colorbar(image, cax=first.inset_axes((1.05, 0, 0.05, 1)), label=label)
    second.plot([1e3, 2e5])
    second.set_ylabel(label)
    heading(first, "A title", "the model · the data")
    return figure


def ink(figure: Figure, dpi: int = 200) -> np.ndarray:
    """Return the inches (left, right, top, bottom) of white around a figure."""
    pixels = matplotlib.image.imread(io.BytesIO(style.content(figure, "png", dpi=dpi)))[..., :3].min(axis=-1) < 0.99
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    high, wide = pixels.shape
    return np.array([columns[0], wide - 1 - columns[-1], rows[0], high - 1 - rows[-1]]) / dpi


@pytest.mark.parametrize("width", [2.5, 3.25, 6.75, 12.0])
@pytest.mark.parametrize("drawn", [3.0, 6.0, 11.0])
def test_width_is_exact_and_filled(width: float, drawn: float) -> None:
    with style.plot_style(), on_page(Page(width=width)):
        figure = two_panels(drawn, 3)
        fit(figure, width)
        assert figure.get_figwidth() == width
        white = ink(figure)
    assert (white > 0.5 * MARGIN).all()
    assert (white[[0, 2, 3]] < 3 * MARGIN).all()
    assert white[1] < 3 * MARGIN or width > GROWTH * drawn


def test_fitted_figure_stays() -> None:
    with style.plot_style():
        figure = two_panels(6.75, 3)
        fit(figure, 6.75)
        boxes = [axes.get_position().bounds for axes in figure.axes]
        high = figure.get_figheight()
        fit(figure, 6.75)
    assert figure.get_figheight() == pytest.approx(high, abs=0.01)
    assert np.allclose([axes.get_position().bounds for axes in figure.axes], boxes, atol=0.005)


@pytest.mark.parametrize(("drawn", "aspect"), [(10, "auto"), (5, "auto"), (5, "equal")])
def test_heights_follow_widths_of_images(drawn: float, aspect: str) -> None:
    with style.plot_style():
        figure = style.figure(drawn, 4)
        axes = figure.add_axes((0.1, 0.1, 0.8, 0.5))
        axes.set_aspect(aspect)  # type: ignore[arg-type]
        axes.set_yticks([0], ["a" * 30])
        fit(figure, 5)
        box = axes.get_position(original=True)
        wide, high = box.width * 5, box.height * figure.get_figheight()
    if (drawn, aspect) == (5, "auto"):
        assert high == pytest.approx(2)  # as drawn
    else:
        assert wide / high == pytest.approx(0.8 * drawn / 2)


def test_line_without_points_takes_no_room() -> None:
    with style.plot_style():
        figures = [style.figure(4, 3) for _ in range(2)]
        for marks, figure in enumerate(figures):
            axes = figure.add_axes((0.2, 0.2, 0.7, 0.7))
            if marks:
                axes.plot([], [], "v", clip_on=False)
            axes.set(xlim=(0, 1), ylim=(0, 1))
            fit(figure, 4)
    assert figures[0].axes[0].get_position().bounds == pytest.approx(figures[1].axes[0].get_position().bounds)


def test_labels_that_take_the_width_are_refused() -> None:
    with style.plot_style():
        figure = style.figure(6, 3)
        figure.add_axes((0, 0, 1, 1)).set_yticks([0], ["a name that is longer than a column of any journal " * 2])
        with pytest.raises(ValueError, match=r"curves: labels leave no room at a width of 3.25 inches"):
            fit(figure, 3.25, "curves")
        fit(figure, 3.25, exact=False)  # as on a screen
        assert 6 < figure.get_figwidth() < 12
        assert (ink(figure) > 0.5 * MARGIN).all()


def test_empty_figure_has_its_width() -> None:
    with style.plot_style():
        figure = style.figure(4, 3)
        fit(figure, 2)
    assert tuple(figure.get_size_inches()) == (2, 3)

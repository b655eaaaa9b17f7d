"""Pictures of several results in one figure: one scale, equal widths, names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.assays.plotting.fit import MARGIN
from lrx.assays.plotting.heading import heading
from lrx.assays.plotting.side_by_side import Draw, draw_pictures
from tests.assays.test_fit import ink


def heat(top: float, rows: int = 3, *, extra: bool = False) -> Callable[[], Mapping[str, Figure]]:
    """Return a function that draws a heat map of values up to `top`, and a second picture."""

    def draw() -> dict[str, Figure]:
        figure = style.figure(style.width(style.SINGLE), 0.5 * rows)
        axes = figure.add_axes((0, 0, 0.9, 1))
        low, high = style.shared("heat", 0, top)
        image = axes.imshow(np.linspace(0, top, 4 * rows).reshape(rows, 4), vmin=low, vmax=high, aspect="auto")
        figure.colorbar(image, cax=axes.inset_axes((1.02, 0, 0.05, 1)))
        axes.set_ylabel("row")
        heading(axes, "Heat", f"up to {top}", key="a key")
        if not extra:
            return {"heat": figure}
        other = style.figure(2, 2)
        other.add_subplot().plot([0, top])
        return {"curve": other, "heat": figure}

    return draw


def limits(figure: Figure) -> list[tuple[float, float]]:
    return [panel.axes[0].images[0].get_clim() for panel in figure.subfigs]


def test_several_results_share_colours() -> None:
    with style.plot_style():
        (figure,) = draw_pictures({"one": heat(1), "two": heat(3), "three": heat(2)}, 9.75).values()
    assert limits(figure) == [(0, 3)] * 3
    assert [panel.texts[0].get_text() for panel in figure.subfigs] == ["one", "two", "three"]
    assert figure.get_label().splitlines() == ["one: Heat. up to 1", "two: Heat. up to 3", "three: Heat. up to 2"]


def test_one_result_keeps_its_colours() -> None:
    with style.plot_style():
        (figure,) = draw_pictures({"one": heat(2)}, 3.25).values()
    assert figure.axes[0].images[0].get_clim() == (0, 2)
    assert [text.get_text() for text in figure.axes[0].texts] == ["a key"]


@pytest.mark.parametrize(("width", "columns"), [(3.25, 1), (6.75, 2), (9.75, 3)])
def test_panels_are_columns_of_equal_width(width: float, columns: int) -> None:
    with style.plot_style():
        draw: dict[str, Draw] = {f"run {number}": heat(1, rows=2 + number) for number in range(3)}
        (figure,) = draw_pictures(draw, width).values()
        figure.canvas.draw()
        white = ink(figure)
    assert figure.get_figwidth() == width
    boxes = [panel.bbox.bounds for panel in figure.subfigs]
    assert len({round(box[0]) for box in boxes}) == columns
    assert np.allclose([box[2] / figure.dpi for box in boxes], width / columns)
    tops = [panel.bbox.y1 for panel in figure.subfigs[:columns]]
    assert np.allclose(tops, figure.bbox.y1)
    assert (white > 0.5 * MARGIN).all()


def test_axes_of_panels_have_one_size() -> None:
    with style.plot_style():
        (figure,) = draw_pictures({"one": heat(1), "two": heat(1)}).values()
        figure.canvas.draw()
        first, second = (panel.axes[0].get_window_extent() for panel in figure.subfigs)
    assert figure.get_figwidth() == style.DOUBLE
    assert (first.width, first.height, first.y0) == pytest.approx((second.width, second.height, second.y0))
    assert second.x0 - first.x0 == pytest.approx(figure.dpi * style.DOUBLE / 2)


def test_picture_of_one_result_alone() -> None:
    with style.plot_style():
        figures = draw_pictures({"one": heat(1), "two": heat(1, extra=True)})
    assert {name: len(figure.subfigs) for name, figure in figures.items()} == {"heat": 2, "curve": 1}
    assert figures["curve"].subfigs[0].axes[0].lines
    assert limits(figures["heat"]) == [(0, 1)] * 2

"""Pictures of several results next to one another, with the same limits of colours, in one figure each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import cast

from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.transforms import ScaledTranslation

from lrx.assays.plotting import style
from lrx.assays.plotting.fit import MARGIN, fit
from lrx.assays.plotting.heading import shortened
from lrx.assays.plotting.page import SINGLE, Page, on_page

HEAD = 0.17  # inches of the name of a result, above its picture

Draw = Callable[[], Mapping[str, Figure]]


def draw_pictures(draw: Mapping[str, Draw], width: float | None = None) -> dict[str, Figure]:
    """Return the pictures of results by name, fitted to a width in inches (None: that which each picture prefers).

    draw: the function that draws each result, by the name that stands above its picture where there are several. A
    picture has at least as many inches as a column of a journal, where the width allows; those that do not fit next to
    one another stand below. ValueError where labels leave no room. To be called within `plot_style`.
    """
    if len(draw) > 1:
        return _draw_several(draw, width or style.DOUBLE)
    with on_page(Page(width=width, heading=False)):
        (pictures,) = [dict(function()) for function in draw.values()]
    for name, picture in pictures.items():
        fit(picture, width or picture.get_figwidth(), name)
    return pictures


def _draw_several(draw: Mapping[str, Draw], width: float) -> dict[str, Figure]:
    """Draw each result three times: for limits that all share, alone for its size, and in its part of the figures."""
    columns = min(len(draw), max(1, int(width / SINGLE)))
    page = Page(width=width / columns, heading=False, limits={})
    with on_page(page):
        for function in draw.values():
            function()
    alone = {result: _draw_alone(function, page) for result, function in draw.items()}
    names = dict.fromkeys(name for pictures in alone.values() for name in pictures)
    pages = {
        name: _divide(
            {result: pictures[name] for result, pictures in alone.items() if name in pictures}, columns, width
        )
        for name in names
    }
    for result, function in draw.items():
        panels = [pages[name][1][result] for name in alone[result]]
        with on_page(dataclasses.replace(page, blank=_each_of(panels))):
            function()
        for panel, picture in zip(panels, alone[result].values(), strict=True):
            _place(panel, picture, result)
    for figure, parts in pages.values():
        figure.set_label("\n".join(f"{result}: {panel.get_label()}" for result, panel in parts.items()))
    return {name: figure for name, (figure, _) in pages.items()}


def _draw_alone(function: Draw, page: Page) -> dict[str, Figure]:
    """Return the pictures of a result for a part of a page, fitted, in the order in which their figures are made."""
    made: list[Figure] = []

    def blank(wide: float, high: float) -> Figure:
        made.append(style.new_figure(wide, high))
        return made[-1]

    with on_page(dataclasses.replace(page, blank=blank)):
        pictures = function()
    assert len(made) == len(pictures), "a picture is drawn in a figure that style.figure gives, and no figure is left"
    for name, picture in pictures.items():
        fit(picture, page.width or picture.get_figwidth(), name)
    return dict(sorted(pictures.items(), key=lambda entry: made.index(entry[1])))


def _each_of(panels: list[Figure]) -> Callable[[float, float], Figure]:
    """Return a function of a size that gives one panel after the other."""
    remaining = iter(panels)
    return lambda wide, high: next(remaining)


def _divide(pictures: Mapping[str, Figure], columns: int, width: float) -> tuple[Figure, dict[str, Figure]]:
    """Return a blank figure with a part for each picture, and the parts by result: rows as high as their pictures."""
    results = list(pictures)
    rows = [results[first : first + columns] for first in range(0, len(results), columns)]
    heights = [max(pictures[result].get_figheight() for result in row) + HEAD for row in rows]
    figure = style.new_figure(width, sum(heights))
    grid = GridSpec(len(rows), columns, figure=figure, height_ratios=heights, wspace=0, hspace=0)
    # a SubFigure has all of FigureBase, and a picture uses nothing else
    panels = {
        result: cast(Figure, figure.add_subfigure(grid[row, column]))
        for row, row_results in enumerate(rows)
        for column, result in enumerate(row_results)
    }
    return figure, panels


def _place(panel: Figure, alone: Figure, result: str) -> None:
    """Place the axes of a panel as in the picture that was fitted alone, below the name of the result."""
    high = panel.bbox.height / panel.dpi
    for axes, fitted in zip(panel.axes, alone.axes, strict=True):
        box, scale = fitted.get_position(original=True), alone.get_figheight() / high
        axes.set_position((box.x0, 1 - HEAD / high - scale * (1 - box.y0), box.width, scale * box.height))
    place = panel.transSubfigure + ScaledTranslation(MARGIN, -MARGIN, panel.dpi_scale_trans)
    room = panel.bbox.width / panel.dpi * 72 - 144 * MARGIN
    panel.text(
        0, 1, shortened(result, room, style.TEXT), transform=place, va="top", fontweight="bold", fontsize=style.TEXT
    )

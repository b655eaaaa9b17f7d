"""Heading of pictures: one line of small print, and none of it where a journal sets the text."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.assays.plotting.heading import heading, shortened, width_of
from lrx.assays.plotting.page import Page, on_page

CAPTION = " · ".join(["BetaVAE", "dsprites", "base prior", "1,024 draws", "normalization half", "and a long last part"])


def headed(page: Page, key: str = "") -> Figure:
    with style.plot_style(), on_page(page):
        figure = style.figure(style.width(style.SINGLE), 2)
        heading(figure.add_axes((0.1, 0.1, 0.8, 0.7)), "Latent response matrix", CAPTION, key=key)
        return figure


def lines(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize(("width", "parts"), [(2.0, 3), (3.25, 5), (6.75, 6)])
def test_small_print_is_one_line(width: float, parts: int) -> None:
    small, title = lines(headed(Page(width=width)))
    assert title == "Latent response matrix"
    assert small.split(" · ") == CAPTION.split(" · ")[:parts]


def test_print_has_key_alone() -> None:
    page = Page(width=3.25, heading=False)
    assert lines(headed(page)) == []
    assert lines(headed(page, "▾ informative: 2 of 10")) == ["▾ informative: 2 of 10"]


def test_caption_stays_as_label() -> None:
    for page in (Page(), Page(heading=False)):
        assert headed(page).get_label() == f"Latent response matrix. {CAPTION}"


def test_long_key_is_drawn_smaller() -> None:
    key = "a key of so many words that it does not fit on a line of one column of a journal"
    (text,) = headed(Page(width=3.25, heading=False), key).axes[0].texts
    with style.plot_style():
        assert width_of(text.get_text(), text.get_fontsize()) < 72 * 3.25 < width_of(text.get_text())
    assert text.get_fontsize() < style.SMALL


def test_heading_is_drawn_above_by_points() -> None:
    with style.plot_style():
        figure = style.figure(4, 3)
        axes = figure.add_axes((0.1, 0.1, 0.8, 0.6))
        heading(axes, "Title", "caption", above=20)
        figure.canvas.draw()
        tops = [72 * text.get_window_extent().y0 / figure.dpi for text in axes.texts]
    assert min(tops) >= 72 * 0.7 * 3 + 20
    assert tops[1] > tops[0] + style.SMALL


def test_long_name_is_cut() -> None:
    with style.plot_style():
        assert shortened("run", 100, 8) == "run"
        cut = shortened("a name of a run that is far too long", 100, 8)
        assert cut.startswith("a name of")
        assert cut.endswith(" …")
        assert 80 < width_of(cut, 8, "bold") <= 100

"""Figures for print: every picture of every assay as PDF, SVG and PNG, of exact width, with letters as letters."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pypdf
import pytest
from matplotlib.figure import Figure
from PIL import Image
from pypdf.generic import DictionaryObject

from lrx.assays import catalog
from lrx.assays.plotting import style
from lrx.assays.plotting.side_by_side import draw_pictures
from lrx.report.figure_files import write_figures
from lrx.storage import results
from tests.support.all_assays import toy_result
from tests.support.models_for_tests import one_thread as one_thread

PICTURED = [name for name in catalog.descriptions() if catalog.figures_of(name)]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def figures_drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn while the test runs."""
    drawn: list[Figure] = []

    def draw(*given: Any) -> dict[str, Figure]:
        figures = draw_pictures(*given)
        drawn.extend(figures.values())
        return figures

    monkeypatch.setattr("lrx.report.figure_files.draw_pictures", draw)
    return drawn


def written(folder: Path, *names: str, run: str = "run") -> Path:
    """Write a results file with these assays of a toy into a folder of its own."""
    path = folder / run / results.FILENAME
    path.parent.mkdir()
    results.write(path, {name: toy_result(name) for name in names}, {"model": "lrx.models.vae.VAE", "dataset": "toy"})
    return path


def fonts(page: pypdf.PageObject) -> Iterator[DictionaryObject]:
    for font in page["/Resources"]["/Font"].values():  # type: ignore[index]
        yield font.get_object()


def check_pdf(content: bytes, width: float) -> str:
    """Check size and fonts of a PDF; return its letters."""
    (page,) = pypdf.PdfReader(io.BytesIO(content)).pages
    assert float(page.mediabox.width) == 72 * width
    for font in fonts(page):
        assert font["/Subtype"] == "/Type0"
        (inner,) = (each.get_object() for each in font["/DescendantFonts"])
        assert inner["/Subtype"] == "/CIDFontType2"  # TrueType, not Type 3
        assert len(inner["/FontDescriptor"].get_object()["/FontFile2"].get_object().get_data()) > 1000
    return page.extract_text()


def check_svg(content: bytes, width: float) -> str:
    """Check the size of an SVG; return its letters."""
    root = ElementTree.fromstring(content)
    assert root.get("width") == f"{72 * width:g}pt"
    return " ".join("".join(text.itertext()) for text in root.iter(f"{SVG}text"))


def check_png(content: bytes, width: float) -> None:
    """Check size and resolution of a PNG."""
    with Image.open(io.BytesIO(content)) as image:
        assert image.width == 300 * width
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("name", PICTURED)
def test_each_picture_in_each_format(name: str, tmp_path: Path, figures_drawn: list[Figure]) -> None:
    path, description = written(tmp_path, name), catalog.descriptions()[name]
    made = write_figures([path], assay=name, file_format="pdf", width=3.25, out=None)
    assert {target.stem for target, _ in made} <= set(description.pictures)
    for (target, caption), figure in zip(made, figures_drawn, strict=True):
        assert target == path.parent / "figures" / f"{target.stem}.pdf"
        with style.plot_style():
            vector, pixels = style.content(figure, "svg"), style.content(figure, "png")
        check_png(pixels, 3.25)
        letters = check_pdf(target.read_bytes(), 3.25), check_svg(vector, 3.25)
        assert all(letters)
        assert description.title not in " ".join(letters)
        assert caption.startswith(description.title) or "VAE" in caption
        assert figure.get_figheight() < 9.5  # inches of a page


def test_same_picture_gives_same_file(tmp_path: Path) -> None:
    path = written(tmp_path, "response_matrix")
    for file_format in style.FORMATS:
        contents = []
        for _ in range(2):
            ((target, _),) = write_figures([path], assay=None, file_format=file_format, width=None, out=None)
            contents.append(target.read_bytes())
        assert contents[0] == contents[1]


def test_several_results_stand_side_by_side(tmp_path: Path) -> None:
    paths = [written(tmp_path, "response_matrix", run=run) for run in ("one", "two")]
    ((target, caption),) = write_figures(paths, assay=None, file_format=None, width=6.75, out=tmp_path / "both.svg")
    letters = check_svg(target.read_bytes(), 6.75)
    assert letters.count("responding latent") == 2
    assert {"one", "two"} <= set(letters.split())
    assert [line.partition(":")[0] for line in caption.splitlines()] == ["one", "two"]

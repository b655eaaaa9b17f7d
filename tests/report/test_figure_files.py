"""Figures for print: every picture of every assay as PDF, SVG and PNG, of exact width, with letters as letters."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pypdf
import pytest
from matplotlib.figure import Figure
from PIL import Image
from pypdf.generic import DictionaryObject

from lrx.assays import catalog
from lrx.assays.plotting import side_by_side
from lrx.report.figure_files import write_figures
from lrx.storage import results
from tests.support.all_assays import toy_result
from tests.support.models_for_tests import one_thread as one_thread

PICTURED = [name for name in catalog.descriptions() if catalog.figures_of(name)]
SVG = "{http://www.w3.org/2000/svg}"


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


def check_png(content: bytes, width: float) -> str:
    """Check size and resolution of a PNG; return no letters."""
    with Image.open(io.BytesIO(content)) as image:
        assert image.width == 300 * width
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    return ""


CHECKS = {"pdf": check_pdf, "svg": check_svg, "png": check_png}


@pytest.mark.parametrize("width", [3.25, 6.75])
@pytest.mark.parametrize("name", PICTURED)
def test_each_picture_in_each_format(name: str, width: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[dict[str, Figure]] = []
    draw = side_by_side.draw_pictures
    monkeypatch.setattr("lrx.report.figure_files.draw_pictures", lambda *given: drawn.append(draw(*given)) or drawn[-1])
    path = written(tmp_path, name)
    description = catalog.descriptions()[name]
    letters = {}
    for file_format, check in CHECKS.items():
        made = write_figures([path], assay=name, file_format=file_format, width=width, out=None)
        assert {target.stem for target, _ in made} <= set(description.pictures)
        for target, caption in made:
            assert target == path.parent / "figures" / f"{target.stem}.{file_format}"
            letters[file_format, target.stem] = check(target.read_bytes(), width)
            assert "VAE" in caption
    assert description.title not in " ".join(letters.values())
    for figure in drawn[0].values():
        sizes = [text.get_fontsize() for axes in figure.axes for text in axes.texts if text.get_text()]
        assert min(sizes, default=5) >= 5
        assert figure.get_figheight() < 9.5  # of a page
    for (file_format, stem), text in letters.items():
        if file_format == "pdf":
            words = re.findall(r"\w{4,}", letters["svg", stem])
            assert words
            assert not [word for word in words if word not in text.replace("\n", " ")][2:]  # turned words may be broken


def test_same_picture_gives_same_file(tmp_path: Path) -> None:
    path = written(tmp_path, "response_matrix")
    for file_format in CHECKS:
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

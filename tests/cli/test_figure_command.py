"""`lrx figure` as typed: files where they are asked for, and one line for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Lrx
from tests.report.test_figure_files import written
from tests.support.command_line import assert_refused
from tests.support.models_for_tests import one_thread as one_thread


@pytest.fixture
def runs(tmp_path: Path, lrx: Lrx) -> Path:
    """The current folder with the results of two runs."""
    for run in ("one", "two"):
        written(tmp_path, "response_matrix", "codes", "conditioned_response", run=run)
    return tmp_path


def files(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix != ".h5" and path.is_file()
    )


def test_figure_writes_all_pictures(runs: Path, lrx: Lrx) -> None:
    done = lrx("figure", "one")
    assert done.returncode == 0
    assert files(runs) == ["one/figures/conditioned_response.pdf", "one/figures/response_matrix.pdf"]
    lines = done.stderr.splitlines()
    assert lines[0].strip() == "one/figures/response_matrix.pdf"
    assert lines[1].strip().startswith("Latent response matrix. VAE · toy · ")


def test_figure_of_several_results(runs: Path, lrx: Lrx) -> None:
    assert lrx("figure", "one", "two/result.h5", "assay=response_matrix", "format=svg").returncode == 0
    assert files(runs) == ["figures/response_matrix.svg"]


@pytest.mark.parametrize("out", ["paper/figure-1.png", "paper", "figures.d/"])
def test_out_is_file_or_folder(out: str, runs: Path, lrx: Lrx) -> None:
    (runs / "figures.d").mkdir()
    assert lrx("figure", "one", "assay=response_matrix", f"out={out}").returncode == 0
    assert files(runs) == [out if out.endswith(".png") else f"{out.rstrip('/')}/response_matrix.pdf"]


def test_figure_replaces_its_own_files_alone(runs: Path, lrx: Lrx) -> None:
    for file_format in ("pdf", "svg", "png"):
        words = ("figure", "one", "assay=response_matrix", f"out=figure.{file_format}")
        assert lrx(*words).returncode == 0
        assert lrx(*words).returncode == 0
        path = runs / f"figure.{file_format}"
        path.write_bytes(b"mine")
        assert_refused(lrx(*words), f"figure.{file_format}", "lrx did not write it", "out=")
        assert path.read_bytes() == b"mine"


WRONG = {
    "no path": ([], ["one path or more", "usage: lrx figure PATH ..."]),
    "nothing there": (["nowhere"], ["nowhere", "no such file", "result.h5"]),
    "a wrong assay": (["one", "assay=respons_matrix"], ["did you mean response_matrix?", "conditioned_response"]),
    "an assay without picture": (["one", "assay=codes"], ["codes has no picture"]),
    "a narrow page": (["one", "width=0.5"], ["width", "from 2 to 40", "not 0.5"]),
    "a wide page": (["one", "width=inf"], ["width", "from 2 to 40", "not inf"]),
    "a width of words": (["one", "width=8cm"], ["width", "inches", "not 8cm"]),
    "a wrong format": (["one", "format=pfd"], ["format=pfd", "pdf, svg, png", "did you mean pdf?"]),
    "a wrong option": (["one", "widht=3"], ["no option widht=", "did you mean width=?"]),
    "two pictures in a file": (["one", "out=x.pdf"], ["out=x.pdf", "2 pictures", "folder"]),
    "a file of another kind": (["one", "assay=response_matrix", "out=x.jpg"], ["out=x.jpg", ".pdf, .svg, .png"]),
    "a folder that is a file": (["one", "out=one/result.h5"], ["out=one/result.h5", ".pdf, .svg, .png"]),
    "two formats": (["one", "assay=response_matrix", "out=x.svg", "format=pdf"], ["out=x.svg", "format=pdf"]),
    "a result twice": (["one", "one/result.h5"], ["twice"]),
    "an option twice": (["one", "width=3", "width=4"], ["width= is given twice"]),
    "an empty option": (["one", "out="], ["out= is given without a value"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_words_are_named(case: str, runs: Path, lrx: Lrx) -> None:
    words, named = WRONG[case]
    assert_refused(lrx("figure", *words), *named)
    assert files(runs) == []


def test_assay_that_one_result_lacks(runs: Path, lrx: Lrx) -> None:
    written(runs, "manifold", run="three")
    assert_refused(lrx("figure", "one", "three"), "three/result.h5", "response_matrix", "manifold")

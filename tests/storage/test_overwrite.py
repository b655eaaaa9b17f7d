"""Files that lrx did not write are never replaced."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from tests.conftest import Lrx

RUN = "outputs/train/run"


@pytest.mark.parametrize(
    ("words", "foreign", "message"),
    [
        (["report", RUN, f"out={RUN}/checkpoint.pt"], f"{RUN}/checkpoint.pt", "must end in .html"),
        (["report", RUN, "out=paper.pdf"], "paper.pdf", "must end in .html"),
        (["report", RUN, "out=thesis.html"], "thesis.html", "lrx did not write it"),
        (["report", RUN], f"{RUN}/report.html", "lrx did not write it"),
        (["collect", "outputs", "out=outputs/assay/run/result.h5"], "outputs/assay/run/result.h5", "did not write it"),
        (["collect", "outputs", "out=notes.h5"], "notes.csv", "notes.csv is there and lrx did not write it"),
        (["collect", "outputs", "out=notes.h5"], "notes.h5", "notes.h5 is there and lrx did not write it"),
        (["collect", "outputs", "out=notes.csv"], "notes.csv", "must end in .h5"),
    ],
)
def test_foreign_file_stays(lrx: Lrx, place: Path, words: list[str], foreign: str, message: str) -> None:
    path = place / foreign
    if not path.exists():
        path.write_text("<html><title>my own</title></html>\nrun of mine,1\n")
    before = path.read_bytes()
    done = lrx(*words)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert path.read_bytes() == before


def test_folder_is_no_target(lrx: Lrx, place: Path) -> None:
    (place / "page.html").mkdir()
    done = lrx("report", RUN, "out=page.html")
    assert (done.returncode, done.stderr) == (
        2,
        "lrx: out=page.html is a folder; give a file in it, such as page.html/lrx.html\n",
    )


def test_older_files_are_replaced(lrx: Lrx, place: Path) -> None:
    for words in (["report", RUN], ["collect", "outputs"], ["collect", "outputs", "out=made.h5"]):
        assert [lrx(*words).returncode for _ in range(2)] == [0, 0]
    with h5py.File(place / "made.h5") as file:
        assert file.attrs["format"] == "lrx-collected-1"

"""`lrx collect` as typed, and tables that a spreadsheet or a terminal opens safely."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.conftest import Lrx
from tests.runs.test_collect import collect, result, write_run


def test_out_option(lrx: Lrx, tmp_path: Path) -> None:
    write_run(tmp_path / "s/a")
    assert lrx("collect", "s", "out=made/here.h5").returncode == 0
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["here-seeds.csv", "here.csv", "here.h5"]
    assert not (tmp_path / "s/collected.h5").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "lrx collect takes one folder, such as outputs/train/my-sweep"),
        (["s", "t"], "takes one folder, not s t"),
        (["s", "--fast"], "lrx collect has no option --fast; usage: lrx collect FOLDER [table=latex|markdown]"),
        (["s", "out="], "usage: lrx collect FOLDER [table=latex|markdown]"),
        (["s", "out=x.csv"], "out=x.csv must end in .h5"),
        (["none"], "none is no folder"),
        (["empty"], "empty holds no runs"),
    ],
)
def test_wrong_arguments_are_one_line(lrx: Lrx, tmp_path: Path, words: list[str], expected: str) -> None:
    write_run(tmp_path / "s/a")
    (tmp_path / "empty").mkdir()
    done = lrx("collect", *words)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert expected in done.stderr


def test_help(lrx: Lrx) -> None:
    for command in ("collect", "status"):
        done = lrx(command, "--help")
        assert done.returncode == 0
        assert done.stdout.startswith(f"usage: lrx {command} FOLDER")


STARTS = ("=1+1", "+cmd", "-cmd|x", "@SUM(1)", "＝1")


def test_formulas_are_defused_in_cells_and_headers(tmp_path: Path) -> None:
    run = write_run(tmp_path / "@run", assays=result(0.5))
    other = write_run(tmp_path / "b", seed=-1)
    for place, folder in enumerate((run, other)):
        lines = [f"'{start}': '{start}{place}'\n" for start in STARTS]
        (folder / "config.yaml").write_text("".join(lines) + f"rate: {-place}\nword: '-{place}e3'\n")
        (folder / "metrics.jsonl").write_text('{"step": 1, "=loss": -2.0}\n')
    collect(tmp_path, tmp_path / "out.h5")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert {f"'{start}" for start in STARTS} <= set(header)
    cells = [cell for row in (header, *rows) for cell in row]
    assert "'@run" in cells
    risky = [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝"))]
    assert sorted(set(risky)) == ["-0e3", "-1", "-1e3", "-2.0"]  # numbers


def test_run_names_reach_no_terminal_raw(lrx: Lrx, tmp_path: Path) -> None:
    top = tmp_path / "top\x1b[31m"
    write_run(top / "a\x1b]0;title\x07", state="failed", error="why\x1b[2J")
    for command in (["collect", str(top)], ["status", str(top)]):
        done = lrx(*command)
        assert done.returncode == 0, done.stderr
        assert "a?]0;title?" in done.stdout
        assert "top?[31m" in (done.stdout + done.stderr).replace("\n", "")  # a long path is broken
        assert not {"\x1b", "\x07"} & set(done.stdout + done.stderr)

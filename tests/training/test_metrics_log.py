"""Training curves: the two files agree, and a resumed run's look as if nothing had happened."""

from __future__ import annotations

import csv
from pathlib import Path

from lrx.training.metrics_log import CSV, JSONL, Curves, read


def started(folder: Path, step: int = 0) -> Curves:
    curves = Curves(folder)
    curves.go_on_from(step)
    return curves


def test_rows_are_written_to_both_files_as_they_come(tmp_path: Path) -> None:
    curves = started(tmp_path)
    curves.append(10, {"loss": 1.5, "kl": 0.25})
    curves.append(20, {"loss": 1.25, "kl": 0.5})
    assert read(tmp_path) == [{"step": 10, "loss": 1.5, "kl": 0.25}, {"step": 20, "loss": 1.25, "kl": 0.5}]
    with (tmp_path / CSV).open() as file:
        rows = list(csv.DictReader(file))
    assert rows == [{"step": "10", "loss": "1.5", "kl": "0.25"}, {"step": "20", "loss": "1.25", "kl": "0.5"}]


def test_going_on_drops_later_rows_and_a_line_that_was_cut(tmp_path: Path) -> None:
    curves = started(tmp_path)
    for step in (10, 20, 30):
        curves.append(step, {"loss": float(step)})
    with (tmp_path / JSONL).open("a") as file:
        file.write('{"step": 40, "lo')
    again = started(tmp_path, 20)
    again.append(30, {"loss": 31.0})
    whole = tmp_path / "whole"
    whole.mkdir()
    expected = started(whole)
    for step, loss in ((10, 10.0), (20, 20.0), (30, 31.0)):
        expected.append(step, {"loss": loss})
    for name in (JSONL, CSV):
        assert (tmp_path / name).read_text() == (whole / name).read_text()


def test_a_folder_without_curves_has_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path) == []

"""Metrics log: both files agree, and those of a resumed run equal those of an uninterrupted one."""

from __future__ import annotations

import csv
from pathlib import Path

from lrx.training.metrics_log import CSV, JSONL, MetricsLog, read


def started(folder: Path, step: int = 0) -> MetricsLog:
    log = MetricsLog(folder)
    log.start(step)
    return log


def test_rows_are_in_both_files(tmp_path: Path) -> None:
    log = started(tmp_path)
    log.log(10, {"loss": 1.5, "kl": 0.25})
    log.log(20, {"loss": 1.25, "kl": 0.5})
    assert read(tmp_path) == [{"step": 10, "loss": 1.5, "kl": 0.25}, {"step": 20, "loss": 1.25, "kl": 0.5}]
    with (tmp_path / CSV).open() as file:
        rows = list(csv.DictReader(file))
    assert rows == [{"step": "10", "loss": "1.5", "kl": "0.25"}, {"step": "20", "loss": "1.25", "kl": "0.5"}]


def test_resume_drops_later_rows_and_a_cut_line(tmp_path: Path) -> None:
    log = started(tmp_path)
    for step in (10, 20, 30):
        log.log(step, {"loss": float(step)})
    with (tmp_path / JSONL).open("a") as file:
        file.write('{"step": 40, "lo')
    again = started(tmp_path, 20)
    again.log(30, {"loss": 31.0})
    whole = tmp_path / "whole"
    whole.mkdir()
    expected = started(whole)
    for step, loss in ((10, 10.0), (20, 20.0), (30, 31.0)):
        expected.log(step, {"loss": loss})
    for name in (JSONL, CSV):
        assert (tmp_path / name).read_text() == (whole / name).read_text()


def test_folder_without_metrics_has_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path) == []


def test_formulas_are_defused_in_header(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path)
    log.start(0)
    log.log(1, {"=loss": -1.0})
    assert (tmp_path / "metrics.csv").read_text().splitlines() == ["step,'=loss", "1,-1.0"]

"""Limits of an assay on the command line: one line, exit status 2, nothing lost; what is done is in status.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrx.assays import limits
from lrx.responses.trial import Trial
from lrx.runs import run_folder
from tests.conftest import Lrx

RUN = ("assay", "ckpt=outputs/train/run", "assay.num_samples=16")


def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each response take a second, as far as a trial says."""
    monkeypatch.setattr(limits, "try_passes", lambda m, cost, *, long: Trial((0.5, 0.5), 0))


def test_refusal_is_one_line_and_loses_nothing(place: Path, lrx: Lrx, monkeypatch: pytest.MonkeyPatch) -> None:
    result = place / "outputs/assay/run/result.h5"
    before = result.read_bytes()
    slow(monkeypatch)
    done = lrx(*RUN, "assay.max_seconds=5", "name=run")
    assert (done.returncode, "finished" in done.stderr) == (0, True)  # a limit makes no other run
    done = lrx(*RUN, "assay.max_seconds=5", "assay.draws=independent", "name=other")
    assert done.returncode == 2
    line = (
        "lrx: assay.max_seconds=5: 48 responses, 16 images encoded would take about 56 s; "
        "change num_samples, or give assay=traversal"
    )
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1
    assert result.read_bytes() == before
    assert not (place / "outputs/assay/other/config.yaml").exists()
    done = lrx(*RUN, "assay.draws=independent", "name=other")
    assert done.returncode == 0
    assert "response matrix: 48 responses, 16 images encoded, about 56 s, under 1 MB\n" in done.stderr


def test_limit_is_no_part_of_the_identity() -> None:
    flat = {"assay.num_samples": "16", "assay.max_seconds": "3", "assay.assays.metrics.max_seconds": "None"}
    assert run_folder.identity(flat) == {"assay.num_samples": "16"}


def test_status_has_the_step_of_an_assay(place: Path) -> None:
    status = json.loads((place / "outputs/assay/run/status.json").read_text(encoding="utf-8"))
    assert (status["state"], status["step"], status["steps"]) == ("done", 48, 48)
    assert status["rate"] > 0
    assert status["seconds_left"] == 0


def test_limit_of_a_part_of_a_paper_run_is_refused(place: Path, lrx: Lrx) -> None:
    done = lrx("assay", "ckpt=outputs/train/run", "assay=paper", "assay.assays.codes.max_seconds=3", "name=paper")
    assert done.returncode == 2
    assert "assay.assays.codes.max_seconds has no effect; max_seconds limits all assays together" in done.stderr

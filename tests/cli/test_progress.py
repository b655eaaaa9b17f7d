"""Progress of long work: plain lines in a log, a bar on a terminal."""

from __future__ import annotations

import io
import time
from contextlib import closing

import pytest
from rich.console import Console

from lrx.cli.console.progress import TrainProgress, WorkProgress


def test_training_writes_plain_lines_to_a_log(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(float(second) for second in range(0, 10_000, 10))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with closing(TrainProgress(steps=10, batch_size=64)) as progress:
        progress.start(2)
        progress.log(2, {"loss": 123.456, "kl": 1.0, "lr": 0.1})
        for step in range(3, 11):
            progress.step(step)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "resuming at step 2 of 10"
    assert len(lines) == 3  # eight steps of ten seconds
    assert "step 5/10" in lines[1]
    assert "loss 123.5" in lines[1]
    assert "images/s" in lines[1]
    assert "left" in lines[1]


def test_rate_leaves_out_compiling(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(float(second) for second in range(0, 10_000, 10))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with closing(TrainProgress(steps=10, batch_size=64, compiles=True)) as progress:
        progress.start(0)
        progress.step(1)
        assert "compiled in 10 s" in capsys.readouterr().err
        progress.step(2)
        assert progress.rate == 0.1


def test_bar_fits_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(
        "lrx.cli.console.progress.ERRORS", Console(file=written, force_terminal=True, width=80, color_system=None)
    )
    with closing(TrainProgress(steps=100_000, batch_size=64)) as progress:
        progress.start(0)
        progress.log(2, {"loss": 12345.678, "reconstruction": 12300.0, "kl": 45.6})
        progress.step(50_000)
    shown = written.getvalue()
    assert "50000/100000" in shown
    assert "steps/s" in shown
    assert "loss 1.235e+04" in shown
    assert "…" not in shown


def test_work_writes_one_line_to_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with WorkProgress("rendering") as progress:
        for done in range(100):
            progress(done + 1, 100)
    assert capsys.readouterr().err == "rendering\n"
    with WorkProgress("nothing to do"):
        pass
    assert capsys.readouterr().err == ""


def test_work_is_recorded_from_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(float(second) for second in (0, 0, 1, 2, 3, 4, 5))  # the first when it is made
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    records: list[dict[str, float]] = []
    with WorkProgress("measuring", lambda **record: records.append(record)) as progress:
        for done in range(5):
            progress(done, 4)
    assert [record["step"] for record in records] == [0, 2, 4]  # every two seconds, and the end
    assert records[1] == {"step": 2, "steps": 4, "rate": 1.0, "seconds_left": 2.0}

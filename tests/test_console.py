"""What a person reads: a matrix within 80 columns, plain lines where there is no terminal."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from rich.console import Console

from lrx.terminal import console
from lrx.terminal.progress import TrainProgress, WorkProgress
from lrx.types import Array, AssayResult

AXES = ("intervened", "responding")


def result(latents: int) -> AssayResult:
    values = np.arange(latents * latents, dtype=np.float64).reshape(latents, latents) / (latents * latents)
    index = np.arange(latents)
    return AssayResult(
        arrays={"matrix": Array(values, AXES), "matrix_se": Array(values / 10, AXES)},
        coordinates={"intervened": index, "responding": index},
        scores={"cds": 0.75, "cds_se": 0.0123, "num_informative": 3.0},
    )


def test_a_matrix_of_ten_latents_fits_80_columns_with_its_errors(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_results({"response_matrix": result(10)})
    shown = capsys.readouterr().out
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert "0.99" in shown
    assert "0.099" in shown
    assert "intervened" in shown
    assert "…" not in shown
    assert "0.75 ± 0.012" in shown


def test_names_of_factors_are_folded_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    square = result(10)
    names = np.array(["floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation", "a", "b", "c", "d"])
    console.show_results({"conditioned": AssayResult(square.arrays, {**square.coordinates, "intervened": names})})
    shown = capsys.readouterr().out
    assert "…" not in shown
    first = [line[1:].split("│")[0].strip() for line in shown.splitlines() if line.startswith("│")]
    assert "".join(first).replace(" ", "") == "".join(names).replace("_", "")
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_a_larger_matrix_is_left_to_the_picture(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_results({"response_matrix": result(24)})
    shown = capsys.readouterr().out
    assert "num informative" in shown
    assert len(shown.splitlines()) < 8


def test_the_scores_of_several_assays_are_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_results({"one_assay": result(3), "another": result(2)})
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [lines.index("one assay"), lines.index("another")] == [0, 3]
    assert lines[1].split() == ["cds", "0.75", "±", "0.012"]


def test_training_without_a_terminal_is_one_plain_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(float(second) for second in range(0, 10_000, 10))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with TrainProgress(steps=10, batch_size=64) as progress:
        progress.start(2)
        progress.log({"loss": 123.456, "kl": 1.0, "lr": 0.1})
        for step in range(3, 11):
            progress.step(step)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "resuming at step 2 of 10"
    assert len(lines) == 3  # eight steps of ten seconds
    assert "step 5/10" in lines[1]
    assert "loss 123.5" in lines[1]
    assert "images/s" in lines[1]
    assert "left" in lines[1]


def test_the_first_step_of_a_compiled_run_is_told_apart(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(float(second) for second in range(0, 10_000, 10))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with TrainProgress(steps=10, batch_size=64) as progress:
        progress.start(0, compiles=True)
        progress.step(1)
        assert "compiled in 10 s" in capsys.readouterr().err
        progress.step(2)
        assert progress.rate == 0.1


def test_progress_on_a_terminal_of_80_columns_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(
        "lrx.terminal.progress.ERRORS", Console(file=written, force_terminal=True, width=80, color_system=None)
    )
    with TrainProgress(steps=100_000, batch_size=64) as progress:
        progress.start(0)
        progress.log({"loss": 12345.678, "reconstruction": 12300.0, "kl": 45.6})
        progress.step(50_000)
    shown = written.getvalue()
    assert "50000/100000" in shown
    assert "steps/s" in shown
    assert "loss 1.235e+04" in shown
    assert "…" not in shown


def test_a_job_of_a_sweep_is_one_line_with_the_first_score(capsys: pytest.CaptureFixture[str]) -> None:
    with console.job("vae-0", "assay"):
        console.note("before work")
        with WorkProgress("working") as progress:
            progress(1, 2)
        console.note("not now")
        console.show_results({"response_matrix": result(3)})
        console.warn("odd")
    said = capsys.readouterr()
    assert said.out == "vae-0  assay: response matrix, cds 0.75 ± 0.012\n"
    assert said.err == "vae-0  before work\nvae-0  working\nlrx: warning: vae-0: odd\n"


def test_work_without_a_terminal_is_announced_once(capsys: pytest.CaptureFixture[str]) -> None:
    with WorkProgress("rendering") as progress:
        for done in range(100):
            progress(done + 1, 100)
    assert capsys.readouterr().err == "rendering\n"
    with WorkProgress("nothing to do"):
        pass
    assert capsys.readouterr().err == ""

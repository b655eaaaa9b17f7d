"""What a person reads: a matrix within 80 columns, scores, and the line of a job."""

from __future__ import annotations

import numpy as np
import pytest

from lrx.cli.console import messages
from lrx.cli.console.progress import WorkProgress
from lrx.core.types import Array, AssayResult

AXES = ("intervened", "responding")


def result(latents: int) -> AssayResult:
    values = np.arange(latents * latents, dtype=np.float64).reshape(latents, latents) / (latents * latents)
    index = np.arange(latents)
    return AssayResult(
        arrays={"matrix": Array(values, AXES), "matrix_se": Array(values / 10, AXES)},
        coordinates={"intervened": index, "responding": index},
        scores={"cds": 0.75, "cds_se": 0.0123, "num_informative": 3.0},
    )


def test_matrix_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    messages.show_results({"response_matrix": result(10)})
    shown = capsys.readouterr().out
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert "0.99" in shown
    assert "0.099" in shown
    assert "intervened" in shown
    assert "…" not in shown
    assert "0.75 ± 0.012" in shown


def test_long_row_names_are_folded(capsys: pytest.CaptureFixture[str]) -> None:
    square = result(10)
    names = np.array(["floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation", "a", "b", "c", "d"])
    messages.show_results({"conditioned": AssayResult(square.arrays, {**square.coordinates, "intervened": names})})
    shown = capsys.readouterr().out
    assert "…" not in shown
    first = [line[1:].split("│")[0].strip() for line in shown.splitlines() if line.startswith("│")]
    assert "".join(first).replace(" ", "") == "".join(names).replace("_", "")
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_large_matrix_is_left_to_the_picture(capsys: pytest.CaptureFixture[str]) -> None:
    messages.show_results({"response_matrix": result(24)})
    shown = capsys.readouterr().out
    assert "num informative" in shown
    assert len(shown.splitlines()) < 8


def test_scores_of_several_assays(capsys: pytest.CaptureFixture[str]) -> None:
    messages.show_results({"one_assay": result(3), "another": result(2)})
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [lines.index("one assay"), lines.index("another")] == [0, 3]
    assert lines[1].split() == ["cds", "0.75", "±", "0.012"]


def test_job_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with messages.job("vae-0", "assay"):
        messages.note("before work")
        with WorkProgress("working") as progress:
            progress(1, 2)
        messages.note("not now")
        messages.show_results({"response_matrix": result(3)})
        messages.warn("odd")
    said = capsys.readouterr()
    assert said.out == "vae-0  assay: response matrix, cds 0.75 ± 0.012\n"
    assert said.err == "vae-0  before work\nvae-0  working\nlrx: warning: vae-0: odd\n"

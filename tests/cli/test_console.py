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


def test_row_names_stay_whole(capsys: pytest.CaptureFixture[str]) -> None:
    square = result(10)
    names = np.array(["floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation", "position_x", *"abc"])
    messages.show_results({"conditioned": AssayResult(square.arrays, {**square.coordinates, "intervened": names})})
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    for name in names:
        assert sum(line.startswith(f"{name.replace('_', ' ')} ") for line in lines) == 1
    columns = [line.split() for line in lines if line.startswith("position x")]
    assert columns == [["position", "x", *(f"{value / 100:.2f}" for value in range(60, 70))]]


def test_longest_names_take_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    square = result(10)
    names = np.array([f"name_of_a_factor_with_many_words_{number}" for number in range(10)])
    messages.show_results({"conditioned": AssayResult(square.arrays, {**square.coordinates, "intervened": names})})
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("with many words 7" in line for line in lines) == 1


def test_large_matrix_is_left_to_the_picture(capsys: pytest.CaptureFixture[str]) -> None:
    messages.show_results({"response_matrix": result(24)})
    shown = capsys.readouterr().out
    assert "num informative" in shown
    assert len(shown.splitlines()) < 8


def test_several_assays_have_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    messages.show_results({"mine": result(3), "response_matrix": result(2)})
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == ["response matrix  num informative 3", "mine             cds 0.75 ± 0.012; num informative 3"]


def with_factors() -> AssayResult:
    values = np.array([[0.05, 0.41, 1.28], [0.9, 0.03, 0.2]])
    axes = ("factor", "latent")
    return AssayResult(
        arrays={"matrix": Array(values, axes), "matrix_se": Array(np.full_like(values, 0.02), axes)},
        coordinates={"factor": np.array(["position_x", "shape"])},
        scores={"cds": 0.75},
        settings={"threshold": 0.1},
    )


def test_answers_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    messages.show_results({"conditioned_response": with_factors(), "response_matrix": result(3)})
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[:4] == [
        "latents that answer to each factor: response ± standard error",
        "position x  latent 2, 1.28 ± 0.02; latent 1, 0.41 ± 0.02",
        "shape       latent 0, 0.90 ± 0.02; latent 2, 0.20 ± 0.02",
        "",
    ]
    assert lines[4] == "factors that each latent answers to, and latents that move when it is set"
    assert lines[5:7] == [
        "latent 0  shape, 0.90 ± 0.02",
        "          moves latent 2, 0.22 ± 0.02; latent 1, 0.111 ± 0.011",
    ]
    messages.show_results({"response_matrix": result(3)})
    assert "answer" not in capsys.readouterr().out


def test_answers_that_fit_a_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.linspace(2, 1, 40).reshape(1, 40)
    many = AssayResult({"response": Array(values, ("factor", "latent"))}, {"factor": np.array(["shape"])})
    monkeypatch.setenv("COLUMNS", "64")
    messages.show_results({"factor_inference": many, "mine": result(2)})
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "shape  latent 0, 2.00; latent 1, 1.97; and 38 more"
    assert max(map(len, lines)) <= 64
    assert any(line.startswith("and 24 more latents") for line in lines)


def test_job_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with messages.job("vae-0", "assay"):
        messages.note("before work")
        with WorkProgress("working") as progress:
            progress(1, 2)
        messages.note("not now")
        messages.show_results({"conditioned_response": with_factors()})
        messages.warn("odd")
    said = capsys.readouterr()
    assert said.out == "vae-0  assay: conditioned response, cds 0.75\n"
    assert said.err == "vae-0  before work\nvae-0  working\nlrx: warning: vae-0: odd\n"


def test_job_line_has_three_scores(capsys: pytest.CaptureFixture[str]) -> None:
    scores = {
        "largest_se": 0.5,
        "num_active": 4.0,
        "rounding_error": 0.1,
        "num_informative": 3.0,
        "num_informative_se": 1.0,
    }
    matrix = AssayResult({}, {}, scores)
    with messages.job("a", "assay"):
        messages.show_results({"response_matrix": matrix})
    many = {f"assay_{number}": AssayResult({}, {}, {"x": float(number), "y": 0.0}) for number in range(5)}
    with messages.job("b", "assay"):
        messages.show_results({**many, "conditioned_response": with_factors(), "response_matrix": matrix})
    assert capsys.readouterr().out.splitlines() == [
        "a  assay: response matrix, num informative 3 ± 1; num active 4; largest se 0.5",
        "b  assay: response matrix, num informative 3 ± 1; conditioned response, cds 0.75; assay 0, x 0",
    ]

"""Result files on a terminal: within 80 columns, with and without colours, and nothing of a file reaches it raw."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from rich.console import Console

from lrx import results
from lrx.terminal import tables
from lrx.types import Array, AssayResult
from tests.conftest import Lrx

AXES = ("intervened", "responding")


def written(path: Path, latents: int, **settings: str | None) -> Path:
    values = np.arange(latents * latents, dtype=np.float64).reshape(latents, latents) / (latents * latents)
    result = AssayResult(
        arrays={"matrix": Array(values, AXES), "matrix_se": Array(values / 10, AXES)},
        coordinates=dict.fromkeys(AXES, np.arange(latents)),
        scores={"cds": 0.75, "cds_se": 0.0123, "num_informative": float("nan")},
        settings={"base": "prior", "batch_size": None, **settings},
    )
    results.write(path, {"response_matrix": result}, {"model": "lrx.models.vae.VAE", "config": "a: 1\nb: 2", "seed": 3})
    return path


def test_a_file_is_shown_within_80_columns(lrx: Lrx, tmp_path: Path) -> None:
    written(tmp_path / "result.h5", 24)
    for path in ("result.h5", "."):
        done = lrx("show", path)
        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.splitlines()
        assert max(map(len, lines)) <= 80
        assert "\x1b" not in done.stdout
        assert "…" not in done.stdout
        words = done.stdout.replace("│", " ").split()
        for value in ("0.50", "0.050", "0.95", "0.095", "23"):
            assert value in words
        assert "cds              0.75 ± 0.012" in done.stdout
        assert "not defined" in done.stdout
        assert ["batch", "size", "none"] in [line.split() for line in lines]
        assert ["matrix", "intervened", "24", "×", "responding", "24"] in [line.split() for line in lines]
        assert ["model", "lrx.models.vae.VAE"] in [line.split() for line in lines]
        assert "a: 1" not in done.stdout


def test_cells_have_the_colours_of_their_values(tmp_path: Path) -> None:
    stored = results.read(written(tmp_path / "result.h5", 3))
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, color_system="truecolor", width=80)
    console.print(*tables.whole_file(stored, 80))
    shown = screen.getvalue()
    assert "48;2;0;34;78m" in shown.replace("38;2;255;255;255;", "")  # the darkest, of the value 0
    light = [line for line in shown.splitlines() if "0.89" in line]
    assert "38;2;0;0;0;48;2;" in light[0]  # black on light


def test_what_a_file_says_is_no_markup_and_no_command_to_the_terminal(lrx: Lrx, tmp_path: Path) -> None:
    written(tmp_path / "result.h5", 2, base="[red]bold[/] \x1b[2J\x07", remark="[blink]\x1b]0;title\x07")
    shown = lrx("show", "result.h5").stdout
    assert "[red]bold[/] ?[2J?" in shown
    assert "[blink]?]0;title?" in shown


def test_what_is_no_results_file_is_refused_in_one_line(lrx: Lrx, tmp_path: Path) -> None:
    whole = written(tmp_path / "result.h5", 2)
    (tmp_path / "cut.h5").write_bytes(whole.read_bytes()[:-100])
    (tmp_path / "text.h5").write_text("text")
    (tmp_path / "empty").mkdir()
    for name, words in {
        "cut.h5": "cut.h5 is not a readable results file of lrx",
        "text.h5": "text.h5 is not a readable results file of lrx",
        "empty": "empty/result.h5: no such file",
        "none.h5": "none.h5: no such file",
    }.items():
        done = lrx("show", name)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert words in done.stderr
    assert "lrx show takes one path, not a b" in lrx("show", "a", "b").stderr


def test_a_run_folder_without_a_result_points_to_those_in_it(lrx: Lrx, tmp_path: Path) -> None:
    (tmp_path / "run" / "assay").mkdir(parents=True)
    (tmp_path / "run" / "config.yaml").write_text("seed: 1")
    written(tmp_path / "run" / "assay" / "result.h5", 2)
    done = lrx("show", "run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "  lrx show run/assay\n" in done.stdout
    assert done.stdout.endswith("  lrx report run\n")

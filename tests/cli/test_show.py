"""Result files on a terminal: within 80 columns, with and without colours, and nothing of a file reaches it raw."""

from __future__ import annotations

import io
import shlex
from pathlib import Path

import h5py
import numpy as np
import pytest
from rich.console import Console

from lrx.cli.commands import assay
from lrx.cli.console import matrix_table
from lrx.core.types import Array, AssayResult
from lrx.runs import status, table_hdf5
from lrx.storage import results
from tests.conftest import TINY, Lrx

AXES = ("intervened", "responding")
REPORT = "all of it as one page, with curves and pictures:"


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


def test_show_fits_80_columns(lrx: Lrx, tmp_path: Path) -> None:
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


def test_several_assays_are_summed_up(lrx: Lrx, tmp_path: Path) -> None:
    path = written(tmp_path / "a run" / "result.h5", 4, remark="odd\x1b[2J")
    matrix = Array(np.array([[0.41, 1.28, 0.01]]), ("factor", "latent"))
    factors = AssayResult({"matrix": matrix}, {"factor": np.array(["position_x"])}, {"cds": 0.5, "completeness": 0.25})
    refused = AssayResult({}, {}, {}, {"remark": "not measured: too few images"})
    results.write(
        path, {"conditioned_response": factors, "metrics": refused}, {"seed": 3, "model": "lrx.models.vae.VAE"}
    )
    done = lrx("show", "a run")
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[1] == "position x  latent 1, 1.28; latent 0, 0.410"
    assert lines[-5:] == [
        "response matrix       num informative not defined *",
        "conditioned response  cds 0.5; completeness 0.25",
        "metrics               not measured: too few images",
        "",
        "* response matrix: odd?[2J",
    ]
    assert done.stderr == "matrices, all scores, settings and provenance: lrx show 'a run' --all\n"
    whole = lrx("show", "a run", "--all")
    assert whole.stderr == ""
    assert whole.stdout.splitlines()[:2] == done.stdout.splitlines()[:2]
    for words in ("┃", "settings", "provenance", "seed", "cds              0.75 ± 0.012 *"):
        assert words in whole.stdout
    assert lrx("show", "a run", "--al").stderr.startswith(
        "lrx: lrx show has no option --al; did you mean --all?; usage: lrx show PATH"
    )


def test_markup_and_control_characters(lrx: Lrx, tmp_path: Path) -> None:
    written(tmp_path / "result.h5", 2, base="[red]bold[/] \x1b[2J\x07", remark="[blink]\x1b]0;title\x07")
    shown = lrx("show", "result.h5").stdout
    assert "[red]bold[/] ?[2J?" in shown
    assert "[blink]?]0;title?" in shown


def test_not_a_results_file(lrx: Lrx, tmp_path: Path) -> None:
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


def test_folder_without_result(lrx: Lrx, tmp_path: Path) -> None:
    (tmp_path / "run" / "assay").mkdir(parents=True)
    (tmp_path / "run" / "config.yaml").write_text("seed: 1")
    written(tmp_path / "run" / "assay" / "result.h5", 2)
    done = lrx("show", "run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "  lrx show run/assay\n" in done.stdout
    assert done.stdout.endswith("  lrx report run\n")


def test_folder_lists_remarks(lrx: Lrx, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("seed: 1")
    remark = f"no latent is informative {'and so on ' * 12}\x1b[2J"
    written(tmp_path / "run" / "dead" / "result.h5", 2, remark=remark)
    written(tmp_path / "run" / "good" / "result.h5", 2, remark=None)
    done = lrx("show", "run")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if "remark" in line or "lrx show" in line] == [
        "  lrx show run/dead",
        next(line for line in lines if line.startswith("    remark on response_matrix: no latent is informative and")),
        "  lrx show run/good",
    ]
    assert "\x1b" not in done.stdout
    assert "cds              0.75 ± 0.012 *\n" in lrx("show", "run/dead").stdout.replace(" \n", "\n")
    assert "cds              0.75 ± 0.012\n" in lrx("show", "run/good").stdout.replace(" \n", "\n")


def test_folder_of_unfinished_assay_names_state(lrx: Lrx, tmp_path: Path) -> None:
    words = ("assay=metrics", "ckpt=outputs/train/a", "name=long")
    cut = tmp_path / "outputs/assay/long"
    cut.mkdir(parents=True)
    status.write(cut, status.Status("running", "assay", words))  # and nobody holds its lock
    (cut / "config.yaml").write_text("seed: 0\n")
    done = lrx("show", "outputs/assay/long")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "nothing is measured yet: interrupted (before it was done)",
        "the same command goes on:",
        "  lrx assay assay=metrics ckpt=outputs/train/a name=long",
    ]
    status.write(cut, status.Status("failed", "assay", words, error="codes must be finite"))
    assert lrx("show", "outputs/assay/long").stdout.startswith("nothing is measured yet: failed (codes must be finite)")
    inner = tmp_path / "outputs/train/a/paper"
    inner.mkdir(parents=True)
    status.write(inner.parent, status.Status("done", "train", ("name=a",)))
    status.write(inner, status.Status("running", "assay", ("assay=paper", "ckpt=outputs/train/a")))
    lines = lrx("show", "outputs/train/a").stdout.splitlines()
    assert lines[0] == "nothing is measured yet: interrupted (paper: before it was done)"
    assert lines[2:4] == ["  lrx train name=a then=paper", REPORT]  # lrx assay would begin it anew elsewhere
    assert lrx("show", "outputs").stdout.startswith("nothing is measured yet: 1 failed, 1 interrupted")


def test_command_that_goes_on_with_an_assay_in_a_run(
    lrx: Lrx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_pictures: None
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    words = ["then=[response_matrix,'assay.num_samples=16']", "name=a"]
    with monkeypatch.context() as patch:
        patch.setattr(assay, "run_assay", stopped)
        assert lrx("train", *TINY, *words).returncode == 130
    line = next(line for line in lrx("show", "outputs/train/a").stdout.splitlines() if line.startswith("  lrx train"))
    done = lrx(*shlex.split(line)[1:])
    assert done.returncode == 0, done.stderr
    assert "outputs/train/a is finished" in done.stderr
    assert (tmp_path / "outputs/train/a/response_matrix/result.h5").exists()


def test_informative_latents_are_marked(lrx: Lrx, tmp_path: Path) -> None:
    result = results.read(written(tmp_path / "result.h5", 3)).assays["response_matrix"]
    rule = "M_jj > 0.5 on the scale none"
    for values, head in (([0, 1, 1], "┃ 0┃ ▾1┃ ▾2┃"), ([0, 0, 0], "┃ 0┃ 1┃ 2┃")):
        marked = Array(np.array(values, np.uint8), AXES[1:], "1", f"1 where informative: {rule}")
        results.write(
            tmp_path / "result.h5",
            {"response_matrix": AssayResult({**result.arrays, "informative": marked}, result.coordinates)},
            {},
        )
        shown = lrx("show", "result.h5").stdout
        assert head in " ".join(shown.split()).replace("┃ ┃", "┃").replace("  ", " ")
        assert (f"▾ informative: {rule}" in " ".join(shown.split())) == any(values)


def test_large_matrix_is_cut(lrx: Lrx, tmp_path: Path) -> None:
    values = np.zeros((64, 64))
    values[40, 40], values[63, 2] = 0.75, 0.25
    results.write(tmp_path / "result.h5", {"mine": AssayResult({"matrix": Array(values, AXES)}, {})}, {})
    shown = lrx("show", "result.h5").stdout
    assert "shown are 24 of 64 rows and 24 of 64 columns, those with the largest values" in shown
    words = shown.replace("│", " ").split()
    assert words.count("0.75") == words.count("0.25") == 1
    assert max(map(len, shown.splitlines())) <= 80
    assert "standard error" not in shown  # it has none


def test_small_errors_are_not_zero() -> None:
    result = AssayResult(
        {
            "matrix": Array(np.array([[0.001, 123.456], [12345.678, -1e7]]), AXES),
            "matrix_se": Array(np.array([[1.6e-4, 0.0], [12.345, np.nan]]), AXES),
        },
        {},
    )
    screen = io.StringIO()
    Console(file=screen, width=80).print(*matrix_table.heat_tables("mine", result, 80))
    words = screen.getvalue().replace("│", " ").split()
    for value in ("0.00", "2e-04", "123.5", "0.000", "12346", "12.35", "-1e+07"):
        assert value in words


def test_short_hashes(lrx: Lrx, tmp_path: Path) -> None:
    provenance = {"checkpoint_sha256": "0123456789ab" + 52 * "c", "wall_time_s": 1.23456789, "checkpoint_origin": ""}
    results.write(tmp_path / "result.h5", {"mine": AssayResult({}, {}, {"cds": 1.0})}, provenance)
    lines = [line.split() for line in lrx("show", "result.h5").stdout.splitlines()]
    assert ["checkpoint", "sha256", "0123456789ab…"] in lines
    assert ["wall", "time", "s", "1.23457"] in lines
    assert not any(line[:2] == ["checkpoint", "origin"] for line in lines)


def test_table_of_runs_is_no_result(lrx: Lrx, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "collected.h5", "w") as file:
        file.attrs["format"] = table_hdf5.FORMAT
    done = lrx("show", "collected.h5")
    assert done.returncode == 2
    assert "is lrx collect's table of runs, not a result.h5: read collected.csv, or draw it with" in done.stderr

"""`lrx assay codes=... assay=metrics`: a run folder like any other, and one line for what cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lrx as package
from tests.conftest import Lrx
from tests.support.command_line import assert_refused

RANDOM = np.random.default_rng(0)
FACTORS = np.column_stack([RANDOM.integers(3, size=300), RANDOM.standard_normal(300)])
CODES = FACTORS + 0.1 * RANDOM.standard_normal((300, 2))
ONLY = ["mig", "mcc"]
MEASURE = ("assay", "codes=codes.npz", "assay=metrics", "assay.preset=fast", f"assay.only=[{','.join(ONLY)}]")


@pytest.fixture
def folder(lrx: Lrx, tmp_path: Path) -> Path:
    np.savez(tmp_path / "codes.npz", codes=CODES, factors=FACTORS, factor_names=np.array(["shape", "x"]))
    return tmp_path


def test_result_is_written_shown_collected_and_reported(folder: Path, lrx: Lrx) -> None:
    done = lrx(*MEASURE, "name=one")
    assert done.returncode == 0, done.stderr
    assert "continuous factors: x" in done.stdout + done.stderr
    result = package.read_results(folder / "outputs/assay/one")["metrics"]
    assert result.scores == package.metrics(CODES, FACTORS, preset="fast", only=ONLY).scores
    assert result.provenance["model"] == "codes"
    assert (folder / "outputs/assay/one/metrics.png").is_file()
    assert "mcc pearson" in lrx("show", "outputs/assay/one").stdout
    assert lrx("collect", "outputs/assay").returncode == 0
    assert "metrics.mcc_pearson" in (folder / "outputs/assay/collected.csv").read_text(encoding="utf-8")
    assert lrx("report", "outputs/assay/one").returncode == 0
    (page,) = (folder / "outputs").rglob("*.html")
    assert "mcc pearson" in page.read_text(encoding="utf-8")


def test_finished_run_and_other_codes(folder: Path, lrx: Lrx) -> None:
    lrx(*MEASURE, "name=one")
    again = lrx(*MEASURE, "name=one")
    assert "outputs/assay/one is finished; nothing to do" in again.stdout + again.stderr
    before = package.read_results(folder / "outputs/assay/one")["metrics"].scores
    np.savez(folder / "codes.npz", codes=CODES**3, factors=FACTORS)
    assert lrx(*MEASURE, "name=one").returncode == 0
    assert package.read_results(folder / "outputs/assay/one")["metrics"].scores["mcc_pearson"] < before["mcc_pearson"]
    assert_refused(lrx(*MEASURE, "name=one", "seed=1"), "was made by another config: seed (was 0, now 1)")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["assay=metrics"], "lrx assay needs ckpt=..., or codes=... with assay=metrics"),
        (["codes=codes.npz"], "codes= goes with assay=metrics, not response_matrix, which takes a model"),
        (["codes=codes.npz", "assay=metrics", "ckpt=x", "split=test"], "so ckpt, split has no effect; leave it out"),
        (["codes=codes.npz", "assay=metrics", "device=cuda"], "so device has no effect; leave it out"),
        (["codes=codes.npz", "assay=metrics", "tf32=true", "trust=[x]"], "so tf32, trust has no effect; leave it out"),
        (["codes=none.npz", "assay=metrics"], "codes=none.npz: there is no such file; give an npz or HDF5 file"),
        (["codes=codes.npz", "assay=metrics", "assay.continuous=[y]"], "assay.continuous names y; the factors are"),
        (["codes=codes.npz", "assay=metrics", "assay.pruning=most"], "assay.pruning must be one of range, iqr, none"),
        (["codes=codes.npz", "assay=metrics", "assay.only=[tad]"], "assay.only=tad takes classes of two values"),
    ],
)
def test_what_cannot_be_is_one_line(folder: Path, lrx: Lrx, words: list[str], message: str) -> None:
    assert_refused(lrx("assay", *words, "name=bad"), message)

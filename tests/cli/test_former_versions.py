"""Run folders, checkpoints and results that version 0.1.0 wrote: they resume, are measured, shown, drawn, collected."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from lrx.cli.load import load
from lrx.responses.measure_matrix import measure_matrix
from lrx.responses.measurement import measurement
from lrx.runs import former_names, status
from lrx.storage import results
from lrx.training import checkpoint
from tests.conftest import Lrx

pytestmark = pytest.mark.usefixtures("without_pictures")

WRITTEN = Path(__file__).parents[1] / "data" / "v0.1.0"
SHAPE = ["dataset=helix", "model=betavae", "model.reconstruction=gaussian", "network=mlp", "network.hidden=[8]"]
SHAPE += ["latent_dim=2", "dataset.num_points=256", "model.beta=0.05"]
TRAIN = ["train", *SHAPE, "trainer.batch_size=32", "trainer.lr=0.01", "trainer.log_every=50", "name=v010"]
MATRIX = ["assay", "ckpt=outputs/train/v010", "assay=response_matrix", "assay.num_samples=64"]
PAPER = ["assay", "ckpt=outputs/train/v010", "assay=paper", "assay.only=[response_matrix,latent_graph]"]
PAPER += ["assay.assays.response_matrix.num_samples=64", "assay.assays.latent_graph.num_samples=64"]
PAPER += ["assay.assays.latent_graph.num_replicates=20", "name=paper"]
# defaults of 0.1.0, which measured one quantity by other draws in each assay
PAPER += ["assay.assays.response_map.num_samples=256", "assay.assays.traversal.num_samples=256"]


@pytest.fixture
def outputs(lrx: Lrx, tmp_path: Path) -> Path:
    """The folder `outputs` of version 0.1.0, in the current folder."""
    return Path(shutil.copytree(WRITTEN / "outputs", tmp_path / "outputs"))


def test_run_is_finished(outputs: Path, lrx: Lrx) -> None:
    before = (outputs / "train/v010/checkpoint.pt").read_bytes()
    done = lrx(*TRAIN, "trainer.steps=200")
    assert done.returncode == 0, done.stderr
    assert "is finished (200 steps)" in done.stderr
    assert (outputs / "train/v010/checkpoint.pt").read_bytes() == before


def test_run_resumes(outputs: Path, lrx: Lrx) -> None:
    done = lrx(*TRAIN, "trainer.steps=250")
    assert done.returncode == 0, done.stderr
    assert "resuming at step 200 of 250" in done.stderr
    whole = lrx(*TRAIN, "trainer.steps=250", "name=whole")
    assert whole.returncode == 0, whole.stderr
    resumed, uninterrupted = (checkpoint.load(outputs / f"train/{name}/checkpoint.pt") for name in ("v010", "whole"))
    assert resumed.step == 250
    for key, value in uninterrupted.model.items():
        torch.testing.assert_close(resumed.model[key], value)


def test_run_that_was_killed_after_its_last_step(outputs: Path, lrx: Lrx) -> None:
    state = status.read(outputs / "train/v010")
    assert state is not None
    status.write(outputs / "train/v010", replace(state, state="running"))
    done = lrx(*TRAIN, "trainer.steps=200")
    assert done.returncode == 0, done.stderr
    assert "trained 200 steps on double helix" in done.stderr


def test_run_of_another_config_is_refused(outputs: Path, lrx: Lrx) -> None:
    refused = lrx(*TRAIN, "trainer.steps=200", "seed=1")
    assert refused.returncode == 2
    assert "was made by another config: seed (was 0, now 1)" in refused.stderr


def test_checkpoint_gives_the_same_result(outputs: Path) -> None:
    before = results.read(outputs / "assay/matrix/result.h5").assays["response_matrix"]
    run = load(outputs / "train/v010")
    m = measurement(run.model, run.dataset, torch.Generator().manual_seed(0))
    matrix = measure_matrix(m, base="prior", num_samples=64, net=int(before.settings["net"] or 0))  # now independent
    np.testing.assert_allclose(matrix.on_scale("half")[0].numpy(), before.arrays["matrix"].values, rtol=1e-5)


@pytest.mark.parametrize("words", [[*MATRIX, "name=matrix"], PAPER])
def test_assay_is_finished(words: list[str], outputs: Path, lrx: Lrx) -> None:
    done = lrx(*words)
    assert done.returncode == 0, done.stderr
    assert "is finished; nothing to do" in done.stderr
    assert "of an earlier version, whose results do not say of which labels they are" in done.stderr


def test_assay_is_made_again_in_its_folder(outputs: Path, lrx: Lrx) -> None:
    (outputs / "assay/matrix/result.h5").unlink()
    done = lrx(*MATRIX, "name=matrix")
    assert done.returncode == 0, done.stderr
    assert (outputs / "assay/matrix/result.h5").is_file()


def test_result_is_shown(outputs: Path, lrx: Lrx) -> None:
    assert "response matrix  num informative 2; num active 2" in lrx("show", "outputs/assay/paper").stdout
    shown = lrx("show", "outputs/assay/paper", "--all")
    assert shown.returncode == 0, shown.stderr
    for words in ("response matrix ± standard error", "latent graph", "0.1.0", "BetaVAE"):
        assert words in shown.stdout


def test_results_are_reported(outputs: Path, lrx: Lrx) -> None:
    for path in ("assay/paper", "train/v010", "assay"):
        done = lrx("report", f"outputs/{path}")
        assert done.returncode == 0, done.stderr
        assert "warning" not in done.stderr
    page = (outputs / "assay/paper/report.html").read_text(encoding="utf-8")
    for words in ("latent response matrix", "latent causal graph", "<img"):
        assert words.lower() in page.lower()


def test_runs_are_collected(outputs: Path, lrx: Lrx) -> None:
    done = lrx("collect", "outputs")
    assert done.returncode == 0, done.stderr
    with (outputs / "collected.csv").open(encoding="utf-8") as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}
    assert {row["state"] for row in rows.values()} == {"done"}
    assert set(rows) == {"assay/matrix", "assay/paper", "import/v010", "train/v010"}
    assert float(rows["assay/matrix"]["response_matrix.num_informative"]) >= 0


def test_import_is_assayed(outputs: Path, lrx: Lrx) -> None:
    for name, folder in (("trained", "train"), ("imported", "import")):
        done = lrx("assay", f"ckpt=outputs/{folder}/v010", "assay.num_samples=64", f"name={name}")
        assert done.returncode == 0, done.stderr
    trained, imported = (
        results.read(outputs / f"assay/{name}/result.h5").assays["response_matrix"] for name in ("trained", "imported")
    )
    np.testing.assert_allclose(imported.arrays["matrix"].values, trained.arrays["matrix"].values, rtol=1e-5)


def test_import_into_the_same_folder(outputs: Path, lrx: Lrx, tmp_path: Path) -> None:
    torch.save(checkpoint.load(outputs / "train/v010/checkpoint.pt").model, tmp_path / "weights.pt")
    done = lrx("import", "weights=weights.pt", *SHAPE, "layout=plain", "name=v010")
    assert done.returncode == 0, done.stderr
    kept = yaml.safe_load((outputs / "import/v010/config.yaml").read_text(encoding="utf-8"))
    assert kept["layout"]["_target_"] == former_names.TARGETS["lrx.layouts.Layout"]
    state = status.read(outputs / "import/v010")
    assert state is not None
    assert state.state == "done"

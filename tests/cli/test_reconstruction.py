"""`model.reconstruction=auto`: Gaussian for vectors, Bernoulli for pixels, named in every result."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest
from omegaconf import OmegaConf

from tests.conftest import Lrx
from tests.support.command_line import assert_refused, assert_same_weights

pytestmark = pytest.mark.usefixtures("without_pictures")

STEPS = ["trainer.steps=3", "trainer.batch_size=8", "trainer.schedule=constant"]
HELIX = ["dataset=helix", "model=vae", "network=mlp", "latent_dim=2", *STEPS]
SPRITES = ["dataset=dsprites", "dataset.source=rendered", "model=vae", "network=mlp", "network.hidden=[4]", *STEPS]


@pytest.mark.parametrize("model", ["vae", "factorvae", "adagvae", "vlae"])  # test_configs.py builds the others, too
def test_helix_trains_with_defaults(model: str, lrx: Lrx) -> None:
    done = lrx("train", "dataset=helix", f"model={model}", "network=mlp", "latent_dim=6", *STEPS)
    if model == "adagvae":  # learns from pairs that share factors, and helix has none
        assert_refused(done, "model=adagvae needs known factors")
    else:
        assert done.returncode == 0, done.stderr
        assert "reconstruction gaussian" in done.stderr


def test_result_names_reconstruction(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", *HELIX, "name=helix").returncode == 0
    assert lrx("assay", "ckpt=outputs/train/helix", "assay.num_samples=16", "name=m").returncode == 0
    with h5py.File(tmp_path / "outputs/assay/m/result.h5") as file:
        assert file.attrs["reconstruction"] == "gaussian"


def test_pixels_stay_bernoulli(lrx: Lrx, tmp_path: Path) -> None:
    auto = lrx("train", *SPRITES, "name=auto")
    assert "reconstruction bernoulli" in auto.stderr
    assert lrx("train", *SPRITES, "name=named", "model.reconstruction=bernoulli").returncode == 0
    assert_same_weights(tmp_path / "outputs/train/auto", tmp_path / "outputs/train/named")


@pytest.mark.parametrize("words", [HELIX, SPRITES])
def test_folder_with_named_kind_continues_with_auto(words: list[str], lrx: Lrx, tmp_path: Path) -> None:
    kind, other = ("gaussian", "bernoulli") if words is HELIX else ("bernoulli", "gaussian")
    assert lrx("train", *words, "name=run", f"model.reconstruction={kind}").returncode == 0
    finished = lrx("train", *words, "name=run")
    assert finished.returncode == 0, finished.stderr
    assert "finished (3 steps)" in finished.stderr
    longer = [*words, "trainer.steps=5", "name=run"]
    resumed = lrx("train", *longer)
    assert "resuming at step 3" in resumed.stderr
    assert OmegaConf.load(tmp_path / "outputs/train/run/config.yaml").model.reconstruction == "auto"
    assert "finished (5 steps)" in lrx("train", *longer, f"model.reconstruction={kind}").stderr
    assert_refused(
        lrx("train", *longer, f"model.reconstruction={other}"), f"model.reconstruction (was auto, now {other})"
    )


def test_folder_with_gaussian_pixels_is_not_auto(lrx: Lrx) -> None:
    assert lrx("train", *SPRITES, "name=run", "model.reconstruction=gaussian").returncode == 0
    assert_refused(lrx("train", *SPRITES, "name=run"), "model.reconstruction (was gaussian, now auto)")

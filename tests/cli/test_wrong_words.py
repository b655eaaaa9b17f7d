"""Wrong words on the command line: exit status 2, one line that says what is wrong, and nothing left behind."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch
import xarray

from lrx.cli import main
from tests.conftest import TINY, Lrx
from tests.support.command_line import assert_refused

pytestmark = pytest.mark.usefixtures("without_pictures")

REFUSED = {
    "unknown command": (["trian"], ["trian", "train", "assay", "import"]),
    "unknown dataset": (["train", "dataset=mnist"], ["dataset=mnist", "dsprites", "3dshapes", "helix"]),
    "unknown model": (["train", "model=foo"], ["model=foo", "betavae"]),
    "unknown key": (["train", "trainer.stepz=3"], ["there is no key trainer.stepz; did you mean trainer.steps?"]),
    "unknown group": (["train", "modle=vae"], ["there is no key modle; did you mean model?"]),
    "a key without its group": (["train", "steps=3"], ["there is no key steps; did you mean trainer.steps?"]),
    "a key of another assay": (
        ["assay", "ckpt=x", "assay.extent=3"],
        ["no key assay.extent with assay=response_matrix; assay=response_map, assay=traversal have it"],
    ),
    "a key of another model": (["train", "model=vae", "model.gamma=3"], ["model=annealedvae", "factorvae have it"]),
    "a key that nothing has": (["train", "model=vae", "model.qqq=3"], ["model has reconstruction, variance, kl"]),
    "a key of Hydra": (["train", "hydra.launchr=3"], ["did you mean hydra.launcher?"]),
    "a key that is taken away": (["train", "~trainr"], ["there is no key trainr; did you mean trainer?"]),
    "a near command": (["trane"], ["did you mean train?"]),
    "a near model": (["train", "model=BetaVEA"], ["no model=BetaVEA", "did you mean betavae?"]),
    "a near assay": (["assay", "ckpt=x", "assay=respons_matrx"], ["did you mean response_matrix?"]),
    "a near value": (["train", *TINY, "model.kl=author"], ["model.kl must be one of", "did you mean authors?"]),
    "a near flag": (["train", "--multirn"], ["no flag --multirn; did you mean --multirun?"]),
    "a near key as a flag": (["train", "--batch-siz=8"], ["as in trainer.batch_size=8"]),
    "a near option": (["show", "x", "--al"], ["no option --al", "did you mean --all?"]),
    "a near key that is added": (["train", *TINY, "+nme=x"], ["lrx train has no key nme; did you mean name?"]),
    "no override": (["train", "seed"], ["seed", "key=value"]),
    "a flag for a key": (["train", "--steps", "10"], ["--steps", "trainer.steps=10"]),
    "a flag with its value": (["train", "--batch-size=8"], ["--batch-size=8", "trainer.batch_size=8"]),
    "a key that is added": (["train", *TINY, "+trainer.step=10"], ["trainer has no key step", "trainer.steps?"]),
    "a space": (["train", *TINY, "name=my", "run"], ["'run'", "'name=my run'"]),
    "a comma": (["train", *TINY, "dataset.path=a,b"], ["dataset.path=a,b", "'dataset.path=\"a,b\"'"]),
    "names that are not ASCII": (
        ["train", *TINY, "dataset.names=[größe,form]"],
        ["quote its names: 'dataset.names=[\"größe\",form]'"],
    ),
    "a bracket": (["train", *TINY, "dataset.path=a(1)"], ["'dataset.path=\"a(1)\"'"]),
    "steps are text": (["train", *TINY[:1], "trainer.steps=abc"], ["trainer.steps", "abc", "whole number"]),
    "steps are none": (["train", *TINY[:1], "trainer.steps=0"], ["trainer.steps", "0", "at least 1"]),
    "a negative rate": (["train", *TINY, "trainer.lr=-0.1"], ["trainer.lr", "-0.1", "positive"]),
    "a rate that is no number": (["train", *TINY, "trainer.lr=nan"], ["trainer.lr", "nan"]),
    "a negative clip": (["train", *TINY, "trainer.clip=-1"], ["trainer.clip", "-1"]),
    "an unknown schedule": (
        ["train", *TINY, "trainer.schedule=step"],
        ["trainer.schedule", "step", "constant", "cosine"],
    ),
    "an unknown device": (["train", *TINY, "trainer.device=tpu"], ["trainer.device", "tpu", "cpu"]),
    "no latents": (["train", *TINY, "latent_dim=0"], ["latent_dim", "0"]),
    "a negative beta": (["train", *TINY, "model.beta=-1"], ["model.beta", "-1"]),
    "bernoulli vectors": (["train", *TINY, "model.reconstruction=bernoulli"], ["bernoulli", "gaussian"]),
    "an unknown reconstruction": (["train", *TINY, "model.reconstruction=l1"], ["l1", "bernoulli, gaussian"]),
    "images for vectors": (["train", *TINY, "network=conv64"], ["network=conv64", "network=mlp"]),
    "a setting that there is not": (["train", *TINY, "+model.alpha=1"], ["model", "alpha"]),
    "a list that is none": (["train", *TINY, "network.hidden=3"], ["network.hidden", "3"]),
    "a pair that is none": (["train", *TINY, "trainer.betas=3"], ["trainer.betas", "3"]),
    "an empty name": (["train", *TINY, "name="], ["name=''"]),
    "a name elsewhere": (["train", *TINY, "name=../../x"], ["name='../../x'"]),
    "a hidden name": (["train", *TINY, "name=.hidden"], ["name='.hidden'", "dot"]),
    "the folder itself": (["train", *TINY, "name=."], ["name='.'", "dot"]),
    "a path that is no UTF-8": (["assay", "ckpt=bad\udcff"], ["bad\\udcff", "not UTF-8", "rename"]),
    "points of text": (["train", *TINY, "dataset.num_points=abc"], ["dataset.num_points", "abc"]),
    "a seed of text": (["train", *TINY, "seed=abc"], ["seed", "abc"]),
    "no file": (["train", "dataset=dsprites", "dataset.source=file"], ["dsprites", "dataset.root"]),
    "an unknown source": (["train", "dataset=dsprites", "dataset.source=cloud"], ["cloud", "auto", "file", "rendered"]),
    "no ckpt": (["assay"], ["ckpt="]),
    "ckpt nowhere": (["assay", "ckpt=nowhere"], ["ckpt=nowhere", "no such file"]),
    "an unknown assay": (["assay", "ckpt=x", "assay=foo"], ["assay=foo", "response_matrix"]),
    "a folder without checkpoint": (["assay", "ckpt=empty"], ["ckpt=empty", "checkpoint.pt"]),
    "a text file": (["assay", "ckpt=notes.txt"], ["notes.txt", "not an lrx checkpoint"]),
    "an empty file": (["assay", "ckpt=nothing.pt"], ["nothing.pt", "not an lrx checkpoint"]),
    "a foreign checkpoint": (["assay", "ckpt=foreign.pt"], ["foreign.pt", "lrx import"]),
    "ckpt is a device": (["assay", "ckpt=/dev/zero"], ["ckpt=/dev/zero", "a device", "checkpoint file"]),
    "ckpt is memory": (["assay", "ckpt=/proc/self/mem"], ["/proc/", "mem", "Input/output error"]),
    "data are a device": (["train", "dataset=arrays", "dataset.path=/dev/zero"], ["/dev/zero", "a device"]),
    "a result that is a device": (["show", "/dev/zero"], ["/dev/zero", "a device", "result.h5"]),
    "a folder of the kernel": (["train", *TINY, "hydra.run.dir=/proc/x"], ["/proc/x"]),
    "a sweep without its flag": (["train", *TINY[:1], "seed=choice(1,2)"], ["seed has several values", "-m"]),
    "weights nowhere": (["import", "weights=nowhere.pt"], ["weights=nowhere.pt", "no such file"]),
    "no weights": (["import", "weights=notes.txt"], ["notes.txt", "state dict"]),
    "completion of another shell": (["completion", "tcsh"], ["takes bash or zsh or fish", "not tcsh"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_words_are_one_line(
    case: str, tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRX_DATA", str(data_root))
    monkeypatch.delenv("LRX_DEBUG", raising=False)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("not a checkpoint")
    (tmp_path / "nothing.pt").touch()
    torch.save({"encoder.weight": torch.zeros(2)}, tmp_path / "foreign.pt")
    words, expected = REFUSED[case]
    status = main.main(words)
    said = capfd.readouterr()
    assert_refused(subprocess.CompletedProcess(words, status, said.out, said.err), *expected)
    assert not list((tmp_path / "outputs").rglob("*.*")), "something was left behind"


def test_setting_refused_in_training_has_its_group(lrx: Lrx) -> None:
    done = lrx("train", *TINY, "model=btcvae", "model.estimator=stratified", "trainer.batch_size=1")
    assert_refused(done, "lrx: model.estimator=stratified needs batches of at least 2 images")


def test_assay_without_factors(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", *TINY, "name=helix").returncode == 0
    refused = lrx("assay", "ckpt=outputs/train/helix", "assay=conditioned_response")
    assert_refused(refused, "assay=conditioned_response", "factors of variation", "double helix has none")
    assert not list((tmp_path / "outputs/assay").iterdir())  # nor does a failed run stay that never was one
    swept = lrx("assay", "-m", "ckpt=outputs/train/helix", "assay=conditioned_response", "seed=0,1", "name=sweep")
    assert swept.returncode == 2
    assert lrx("status", "outputs/assay/sweep", "--once").stdout.startswith("outputs/assay/sweep: 2 failed")


def test_correlated_factors(lrx: Lrx, tmp_path: Path) -> None:
    words = ["train", "dataset=dsprites", "network=mlp", "network.hidden=[8]", "latent_dim=2", "trainer.steps=2"]
    trained = lrx(*words, "dataset.correlation={factors:[scale,position_x],width:0.2}", "name=band")
    assert trained.returncode == 0, trained.stderr
    assert "scale and position_x correlated, width 0.2" in trained.stderr
    for override, told in ((), ("rendered, scale and position_x",)), (("dataset.correlation=none",), ("rendered",)):
        name = f"name=assay{len(override)}"
        done = lrx("assay", "ckpt=outputs/train/band", "assay.num_samples=8", "assay.base=posterior", name, *override)
        assert done.returncode == 0, done.stderr
        with xarray.open_dataset(tmp_path / f"outputs/assay/{name[5:]}/result.h5", engine="h5netcdf") as root:
            assert root.attrs["dataset_source"].startswith(told[0])
            assert ("correlated" in root.attrs["dataset_source"]) == (not override)
            assert "correlated" in root.attrs["trained_on"]


def test_lrx_debug_shows_traceback(lrx_process: Lrx) -> None:
    done = lrx_process("train", *TINY, "trainer.lr=-1", LRX_DEBUG="1")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "validation.py" in done.stderr


def test_foreign_target_in_checkpoint_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main.main(["train", *TINY, "name=victim"]) == 0
    path = tmp_path / "outputs/train/victim/checkpoint.pt"
    capfd.readouterr()
    content = torch.load(path, weights_only=True)
    payloads = [
        "_target_: os.system",
        "_target_: lrx.data.helix.np.save",  # what a module of lrx imports is not its own
        "_target_: lrx.storage.state_dict_file.read_state_dict",  # and not everything of its own is meant to be built
        "extra: ['${oc.create:{_target_: os.system}}']",  # nor is it hidden behind an interpolation in a list
    ]
    for payload in payloads:
        for line in ("_target_: lrx.data.helix.double_helix", "_target_: lrx.models.networks.mlp.mlp"):
            assert line in content["config"]
            torch.save(content | {"config": content["config"].replace(line, payload)}, path)
            status = main.main(["assay", f"ckpt={path}"])
            refused = subprocess.CompletedProcess([], status, *capfd.readouterr())
            assert_refused(refused, "_target_=", "not run")

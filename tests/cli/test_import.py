"""Imports: published autoencoders give the values of their authors' code; own classes run behind `trust`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import xarray
from torch import nn

import lrx as lrx_package
from lrx.core.types import Probabilistic
from tests.conftest import TINY, Lrx
from tests.support.command_line import assert_refused, assert_same_weights, weights_of
from tests.support.foreign_models import FOREIGN, D

pytestmark = pytest.mark.usefixtures("without_pictures")


@pytest.mark.parametrize("layout", FOREIGN)
def test_imported_model_gives_same_values(layout: str, lrx: Lrx, tmp_path: Path) -> None:
    make, words, prefix = FOREIGN[layout]
    torch.manual_seed(0)
    theirs = make(1)
    for part in theirs.modules():  # statistics of a trained model, not those of a new one
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, std=0.1)
            nn.init.uniform_(part.running_var, 0.5, 2)
    theirs.eval()
    content = {f"{prefix}{key}": value for key, value in theirs.state_dict().items()}
    torch.save({"state_dict": content} if prefix else content, "theirs.pt")
    np.save("images.npy", np.random.default_rng(0).integers(0, 256, (4, 64, 64), dtype=np.uint8))
    words = [*words, "model=vae", f"latent_dim={D}", "dataset=arrays", "dataset.path=images.npy"]
    done = lrx("import", "weights=theirs.pt", f"layout={layout}", "name=theirs", *words)
    assert done.returncode == 0, done.stderr

    ours = lrx_package.load(tmp_path / "outputs/import/theirs").model
    assert isinstance(ours, Probabilistic)
    x = torch.rand(3, 1, 64, 64)
    with torch.inference_mode():
        mean, log_variance = theirs.posterior(x)
        torch.testing.assert_close(ours.posterior(x), (mean, (log_variance / 2).exp()), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours.decode(mean), theirs.reconstruct(mean), rtol=1e-4, atol=1e-5)


def test_import_of_state_dicts(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", *TINY, "name=source").returncode == 0
    weights = weights_of(tmp_path / "outputs/train/source")
    torch.save(weights, tmp_path / "plain.pt")
    torch.save(
        {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in weights.items()}}, tmp_path / "wrapped.pt"
    )
    safetensors.torch.save_file(
        {key: value.contiguous() for key, value in weights.items()}, tmp_path / "safe.safetensors"
    )
    shape = ["dataset=helix", "model=vae", "network=mlp", "model.reconstruction=gaussian", "latent_dim=2"]
    for file in ("plain.pt", "wrapped.pt", "safe.safetensors"):
        name = Path(file).stem
        done = lrx("import", f"weights={file}", *shape, f"name={name}")
        assert done.returncode == 0, done.stderr
        assert_same_weights(tmp_path / "outputs/import" / name, tmp_path / "outputs/train/source")
    assayed = lrx("assay", "ckpt=outputs/import/plain", "assay.num_samples=16", "name=imported")
    assert assayed.returncode == 0, assayed.stderr
    with xarray.open_dataset(tmp_path / "outputs/assay/imported/result.h5", engine="h5netcdf") as root:
        assert root.attrs["checkpoint_origin"].startswith("plain.pt")

    broken = {key: value for key, value in weights.items() if key != "encoder.1.bias"}
    broken |= {"extra": torch.zeros(1), "decoder.0.weight": torch.zeros(3, 3)}
    torch.save(broken, tmp_path / "broken.pt")
    refused = lrx("import", "weights=broken.pt", *shape, "name=broken")
    assert_refused(refused, "missing: encoder.1.bias", "unexpected: extra", "wrong shape: decoder.0.weight (3, 3)")
    assert not (tmp_path / "outputs/import/broken").exists()


@pytest.mark.parametrize("layout", ["pythae_mlp", "pythae_celeba"])
def test_wrong_layout(layout: str, lrx: Lrx) -> None:
    torch.save({"encoder.embedding.weight": torch.ones(2, 2), "b": torch.ones(2)}, "other.pt")
    done = lrx("import", "weights=other.pt", f"layout={layout}", "dataset=dsprites", "name=x")
    assert done.returncode == 2
    assert done.stderr.removeprefix("preparing the data set (once)\n").count("\n") == 1
    assert "other.pt: these weights do not have this layout" in done.stderr
    assert "encoder.log_var.weight" in done.stderr


OWN = """
import torch

class Net(torch.nn.Module):
    def __init__(self, observation_shape, latent_dim, gain):
        super().__init__()
        self.linear = torch.nn.Linear(latent_dim, 64 * 64, bias=False)
        self.gain, self.shape = gain, tuple(observation_shape)

    def encode(self, x):
        return self.gain * x.flatten(1) @ self.linear.weight

    def decode(self, z):
        return torch.sigmoid(self.linear(z)).view(-1, *self.shape)

class Flat(Net):
    def decode(self, z):
        return self.linear(z)

class Broken(Net):
    def encode(self, x):
        return x @ self.linear.weight

class Nothing:
    pass

class Mute(torch.nn.Module):
    def __init__(self, **settings):
        super().__init__()
        assert not settings
"""


def test_own_class_needs_trust(lrx: Lrx, lrx_process: Lrx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mynet.py").write_text(OWN)
    torch.save({"linear.weight": torch.randn(64 * 64, 3)}, tmp_path / "mine.pt")
    words = ["import", "weights=mine.pt", "dataset=dsprites", "name=mine", "latent_dim=9", "+autoencoder.gain=0.01"]
    words += ["autoencoder._target_=mynet.Net", "+autoencoder.latent_dim=3"]  # the node's own key wins
    refused = lrx(*words)
    assert refused.returncode == 2
    assert "autoencoder._target_=mynet.Net, which no config of lrx names" in refused.stderr
    assert "add trust=[mynet]" in refused.stderr
    done = lrx_process(*words, "trust=[mynet]")  # which is in the current folder
    assert done.returncode == 0, done.stderr

    assay = ["assay", "ckpt=outputs/import/mine", "assay.num_samples=16", "name=mine"]
    refused = lrx(*assay)
    assert refused.returncode == 2
    assert "the checkpoint's config has autoencoder._target_=mynet.Net" in refused.stderr
    monkeypatch.syspath_prepend(tmp_path)
    done = lrx(*assay, "trust=[mynet]")
    assert done.returncode == 0, done.stderr
    assert "response matrix" in done.stdout

    for name, told in (("Nothing", "makes Nothing, which is no torch module"), ("Mute", "without encode and decode")):
        other = [word.replace("mynet.Net", f"mynet.{name}") for word in words if "gain" not in word]
        other = [word for word in other if "autoencoder.latent_dim" not in word]
        refused = lrx(*other, "trust=[mynet]", "hydra.run.dir=elsewhere")
        assert refused.returncode == 2
        assert told in refused.stderr


def test_own_class_is_checked(lrx: Lrx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ownnet.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    torch.save({"linear.weight": torch.randn(64 * 64, 3)}, tmp_path / "mine.pt")
    words = ["import", "weights=mine.pt", "dataset=dsprites", "name=mine", "latent_dim=3", "+autoencoder.gain=1"]
    told = {
        "ownnet.Flat": ("ownnet.Flat.decode", "(64, 4096)", "not observations (64, 1, 64, 64)"),
        "ownnet.Broken": ("ownnet.Broken.encode", "ownnet.py, line 22, in encode: RuntimeError"),
        "ownnet.Nett": ("autoencoder._target_=ownnet.Nett", "ownnet has no Nett", "Net, Flat, Broken, Nothing, Mute"),
        "ownnett.Net": ("autoencoder._target_=ownnett.Net", "no module ownnett"),
    }
    for name, parts in told.items():
        refused = lrx(*words, f"autoencoder._target_={name}", f"trust=[{name.partition('.')[0]}]")
        assert_refused(refused, *parts)
    assert not (tmp_path / "outputs/import/mine/checkpoint.pt").exists()


def test_trust_covers_the_autoencoder_only(lrx: Lrx) -> None:
    torch.save({"w": torch.ones(1)}, "w.pt")
    for words in (["model._target_=os.getcwd"], ["autoencoder._target_=osmosis.Net"]):
        refused = lrx("import", "weights=w.pt", "trust=[os]", *words)
        assert refused.returncode == 2
        assert "it is not run" in refused.stderr
    refused = lrx("import", "weights=w.pt", "trust=os")
    assert "trust must list packages" in refused.stderr

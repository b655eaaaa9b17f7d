"""Checkpoints that other packages wrote: lrx gives the codes and the reconstructions that they give."""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pytest
import torch

import lrx as lrx_package
from lrx.core.types import Probabilistic
from lrx.storage.state_dict_file import read_state_dict
from tests.conftest import Lrx
from tests.support.command_line import assert_refused

pytestmark = pytest.mark.usefixtures("without_pictures")

FILES = Path(__file__).parents[1] / "data" / "foreign"
MLP = ["network=mlp", "network.hidden=[512]", "network.activation=relu", "latent_dim=6"]
PYTHAE = [*MLP, "layout=pythae_mlp", "network.spread=log_variance", "model=vae"]
PYTHAE_AE = [*MLP, "layout=pythae_mlp_ae", "model=ae"]
DISENT = ["layout=disent", "network=conv64_disent", "model=betavae", "latent_dim=6"]


def unpacked(name: str) -> dict[str, torch.Tensor]:
    """Write a file and its images into the current folder; return the arrays of the package."""
    (packed,) = FILES.glob(f"{name}.*.xz")
    Path(packed.stem).write_bytes(lzma.decompress(packed.read_bytes()))
    with np.load(FILES / f"{name}.npz") as file:
        arrays = {key: torch.from_numpy(file[key]) for key in file}
    np.save("images.npy", arrays["x"].numpy())
    return arrays


def brought_in(lrx: Lrx, file: str, *words: str, name: str = "theirs") -> tuple[Probabilistic, str]:
    done = lrx("import", f"weights={file}", *words, "dataset=arrays", "dataset.path=images.npy", f"name={name}")
    assert done.returncode == 0, done.stderr
    model = lrx_package.load(f"outputs/import/{name}").model
    return model, done.stderr  # type: ignore[return-value]


def assert_same(model: Probabilistic, x: torch.Tensor, codes: torch.Tensor, y: torch.Tensor, step: int = 1) -> None:
    with torch.inference_mode():
        torch.testing.assert_close(model.encode(x), codes, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model.decode(codes)[..., ::step, ::step], y, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "words"), [("pythae_vae", PYTHAE), ("pythae_ae", PYTHAE_AE)])
def test_pythae_gives_same_values(name: str, words: list[str], lrx: Lrx) -> None:
    theirs = unpacked(name)
    model, said = brought_in(lrx, f"{name}.pt", *words)
    assert_same(model, theirs["x"], theirs["codes"], theirs["reconstruction"])
    assert f"a sigmoid follows the decoder's last layer: {words[4]}" in said
    assert "read" in said
    assert f"tensors from model_state_dict of {name}.pt" in said


def test_disent_gives_same_values(lrx: Lrx) -> None:
    theirs = unpacked("disent_betavae")
    model, said = brought_in(lrx, "disent_betavae.ckpt", *DISENT)
    assert theirs["reconstruction"].max() > 1  # its default loss has no activation
    assert_same(model, theirs["x"], theirs["codes"], theirs["reconstruction"], step=2)
    assert "no activation follows the decoder's last layer: layout=disent" in said
    assert "left out: epoch, global_step" in said
    with torch.inference_mode():
        mean, std = model.posterior(theirs["x"])
    torch.testing.assert_close(mean, theirs["codes"], rtol=1e-4, atol=1e-5)
    assert std.min() > 0


def test_disent_of_standardised_images(lrx: Lrx) -> None:
    theirs = unpacked("disent_betavae")
    words = [*DISENT, "input_mean=0.25", "input_std=[0.4]"]
    model, said = brought_in(lrx, "disent_betavae.ckpt", *words)
    assert_same(model, theirs["x"], theirs["codes_standardised"], theirs["standardised"], step=2)
    assert "the encoder reads (x - 0.25) / [0.4]" in said
    done = lrx("assay", "ckpt=outputs/import/theirs", "assay.num_samples=16", "name=measured")
    assert done.returncode == 0, done.stderr
    for wrong, part in (("input_std=0", "input_std must be a positive number"), ("output=relu", "output must be one")):
        done = lrx("import", "weights=disent_betavae.ckpt", *words, "dataset=arrays", "dataset.path=images.npy", wrong)
        assert_refused(done, part)


def test_disent_of_binary_loss(lrx: Lrx) -> None:
    theirs = unpacked("disent_betavae")
    model, _ = brought_in(lrx, "disent_betavae.ckpt", *DISENT, "output=sigmoid")
    assert_same(model, theirs["x"], theirs["codes"], theirs["reconstruction"].sigmoid(), step=2)
    model, _ = brought_in(lrx, "disent_betavae.ckpt", *DISENT, "output=tanh", name="tanh")
    assert_same(model, theirs["x"], theirs["codes"], (theirs["reconstruction"].tanh() + 1) / 2, step=2)


@pytest.mark.parametrize("wrap", ["model.{}", "module.{}", "vae.net.{}", "model._orig_mod.{}"])
def test_wrapped_disent(wrap: str, lrx: Lrx) -> None:
    theirs = unpacked("disent_betavae")
    inner = read_state_dict(Path("disent_betavae.ckpt")).tensors
    torch.save({wrap.format(key).replace("coder.", "coder._orig_mod."): inner[key] for key in inner}, "wrapped.pt")
    model, _ = brought_in(lrx, "wrapped.pt", *DISENT)
    assert_same(model, theirs["x"], theirs["codes"], theirs["reconstruction"], step=2)


def test_forgotten_layout_is_refused(lrx: Lrx) -> None:
    unpacked("disent_betavae")
    words = [word for word in DISENT if not word.startswith("layout")]
    done = lrx("import", "weights=disent_betavae.ckpt", *words, "dataset=arrays", "dataset.path=images.npy")
    assert_refused(done, "does not fit the model", "unexpected: _model._encoder.model.0.weight")

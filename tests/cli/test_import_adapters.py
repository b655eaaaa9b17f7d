"""Classes with other methods, outputs and ranges: brought in by keys; what is missing is told with what to write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import lrx as lrx_package
from tests.conftest import Lrx
from tests.support.command_line import assert_refused

pytestmark = pytest.mark.usefixtures("without_pictures")

CLASSES = """
from types import SimpleNamespace
import torch
from torch import nn

class Parts(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(16, 6), nn.Linear(3, 16)

class Net(Parts):
    # encodes to mean and log variance, decodes to logits
    def encode(self, x):
        return self.encoder(x.flatten(1)).chunk(2, 1)

    def decode(self, z):
        return self.decoder(z).view(-1, 1, 4, 4)

class Holder(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Net()

class Distribution(Net):
    def encode(self, x):
        mean = super().encode(x)[0]
        return SimpleNamespace(latent_dist=SimpleNamespace(mode=lambda: mean))

    def decode(self, z):
        return SimpleNamespace(sample=super().decode(z))

class Forward(Parts):
    def forward(self, x):
        mean, log_var = self.encoder(x.flatten(1)).chunk(2, 1)
        return self.up(mean), mean, log_var

    def up(self, z):
        return self.decoder(z).view(-1, 1, 4, 4)

class Output(Net):
    def __init__(self, output):
        super().__init__()
        self.output = output

    def encode(self, x):
        return super().encode(x)[0]
"""
CASES = {
    "Net": ["autoencoder.take=0"],
    "Holder": ["autoencoder.encode=net.encode", "autoencoder.decode=net.decode"],
    "Distribution": ["autoencoder.decode=decode"],
    "Forward": ["autoencoder.encode=forward", "autoencoder.take=1", "autoencoder.decode=up"],
}
DATA = ["dataset=arrays", "dataset.path=images.npy"]


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """The weights of the classes, in mine.pt and those of Holder in Holder.pt; the classes in adapted.py."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "adapted.py").write_text(CLASSES)
    np.save("images.npy", np.random.default_rng(0).integers(0, 256, (40, 4, 4), dtype=np.uint8))
    tensors = {"encoder.weight": torch.randn(6, 16), "encoder.bias": torch.randn(6)}
    tensors |= {"decoder.weight": torch.randn(16, 3), "decoder.bias": torch.randn(16)}
    torch.save(tensors, "mine.pt")
    torch.save({f"net.{key}": value for key, value in tensors.items()}, "Holder.pt")
    return tensors


def own(name: str, *words: str, file: str = "mine.pt") -> list[str]:
    return ["import", f"weights={file}", f"autoencoder._target_=adapted.{name}", "trust=[adapted]", "name=x", *words]


@pytest.mark.parametrize("name", CASES)
def test_adapter_keys_give_same_values(name: str, lrx: Lrx, weights: dict[str, torch.Tensor]) -> None:
    words = [*CASES[name], "autoencoder.output=logits", "autoencoder.input_mean=0.5", "autoencoder.input_std=0.25"]
    done = lrx(*own(name, *words, *DATA, file="Holder.pt" if name == "Holder" else "mine.pt"))
    assert done.returncode == 0, done.stderr
    model = lrx_package.load("outputs/import/x", trust=["adapted"]).model
    x, z = torch.rand(5, 1, 4, 4), torch.randn(5, 3)
    codes = ((x.flatten(1) - 0.5) / 0.25) @ weights["encoder.weight"][:3].T + weights["encoder.bias"][:3]
    pixels = (z @ weights["decoder.weight"].T + weights["decoder.bias"]).sigmoid().view(5, 1, 4, 4)
    with torch.inference_mode():
        torch.testing.assert_close(model.encode(x), codes, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model.decode(z), pixels, rtol=1e-4, atol=1e-5)
    done = lrx("assay", "ckpt=outputs/import/x", "trust=[adapted]", "assay.num_samples=16", "name=a")
    assert done.returncode == 0, done.stderr


def test_adapter_keys_of_the_constructor_stay_its_own(lrx: Lrx, weights: dict[str, torch.Tensor]) -> None:
    done = lrx(*own("Output", "autoencoder.output=7", *DATA))
    assert done.returncode == 0, done.stderr
    assert "autoencoder.output goes to the constructor" in done.stderr
    model = lrx_package.load("outputs/import/x", trust=["adapted"]).model
    assert model.output == 7  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            own("Forward", *DATA),
            ["adapted.Forward", "encode=forward autoencoder.take=1 autoencoder.decode=dec", "up"],
        ),
        (own("Parts", *DATA), ["without encode and decode", "autoencoder.encode=encoder", "encoder, decoder"]),
        (own("Net", *DATA), ["tuple of float32 (40, 3), float32 (40, 3)", "autoencoder.take=0"]),
        (own("Net", *DATA, "autoencoder.take=mu"), ["tuple of float32", "take='mu' is no part"]),
        (own("Net", *DATA, "autoencoder.encode=infer"), ["autoencoder.encode='infer'", "encode, decode, encoder"]),
        (own("Net", *DATA, "autoencoder.output=sigmoid"), ["autoencoder.output must be one of pixels, logits"]),
        (own("Net", *DATA, "output=sigmoid"), ["autoencoder.output=logits"]),
        (own("Net"), ["lrx import needs dataset=", "dataset=folder dataset.path=FOLDER"]),
        (["import", "weights=mine.pt", *DATA, "trust=[adapted]"], ["autoencoder._target_=package.Class"]),
        (["import", "weights=mine.pt", *DATA, "autoencoder.take=0"], ["autoencoder.take", "autoencoder._target_="]),
        (["import", "weights=mine.pt", *DATA, "autoencoder=adapted.Net"], ["autoencoder._target_=adapted.Net"]),
        (
            ["import", "weights=mine.pt", *DATA, "network=mlp", "network.hidden=[4]"],
            ["does not fit the model", "autoencoder._target_=package.Class"],
        ),
        (["import", "weights=whole.pt", *DATA], ["whole pickled", "Linear", "torch.save(model.state_dict()"]),
        (own("Net", *DATA, file="both.pt"), ["those under vae fit: weights_key=vae"]),
    ],
)
def test_what_to_write_instead(words: list[str], told: list[str], lrx: Lrx, weights: dict[str, torch.Tensor]) -> None:
    torch.save(torch.nn.Linear(2, 2), "whole.pt")
    torch.save({f"vae.{key}": value for key, value in weights.items()} | {"disc.w": torch.ones(1)}, "both.pt")
    assert_refused(lrx(*words), *told)
    assert not Path("outputs/import/x/checkpoint.pt").exists()


def test_key_picks_a_part(lrx: Lrx, weights: dict[str, torch.Tensor]) -> None:
    torch.save({"ema": weights, "generator": {key: -value for key, value in weights.items()}}, "both.pt")
    assert_refused(lrx(*own("Net", *DATA, "autoencoder.take=0", file="both.pt")), "weights_key=ema")
    done = lrx(*own("Net", *DATA, "autoencoder.take=0", "weights_key=ema", file="both.pt"))
    assert done.returncode == 0, done.stderr
    assert "read 4 tensors from ema of both.pt\nleft out: generator" in done.stderr


def test_same_weights_as_images_and_as_vectors(lrx: Lrx, weights: dict[str, torch.Tensor]) -> None:
    images = np.load("images.npy")
    np.save("flat.npy", images.reshape(40, 16).astype(np.float32) / 255)
    mlp = {"encoder.1": (8, 16), "encoder.3": (6, 8), "decoder.0": (8, 3), "decoder.2": (16, 8)}
    tensors = {f"{key}.weight": torch.randn(shape) for key, shape in mlp.items()}
    torch.save(tensors | {f"{key}.bias": torch.randn(shape[0]) for key, shape in mlp.items()}, "mlp.pt")
    words = ["import", "weights=mlp.pt", "network=mlp", "network.hidden=[8]", "latent_dim=3", "dataset=arrays"]
    words.append("model.reconstruction=gaussian")
    z, decoded = torch.randn(5, 3), {}
    for output in (None, "identity", "tanh"):
        for file in ("images", "flat"):
            name = f"{file}-{output}"
            done = lrx(*words, f"dataset.path={file}.npy", f"name={name}", *([f"output={output}"] if output else []))
            assert done.returncode == 0, done.stderr
            if output is None:
                assert "a sigmoid follows the decoder's last layer: assumed" in done.stderr
                assert "output=identity or output=tanh" in done.stderr
            with torch.inference_mode():
                decoded[file] = lrx_package.load(f"outputs/import/{name}").model.decode(z).flatten(1)
        torch.testing.assert_close(decoded["images"], decoded["flat"])
    np.save("flat.npy", images.reshape(40, 16).astype(np.float32))
    done = lrx(*words, "dataset.path=flat.npy", "name=units")
    assert "no activation follows the decoder's last layer: assumed" in done.stderr
    done = lrx(*words, "dataset.path=flat.npy", "output=sigmoid", "name=wrong")
    assert_refused(done, "output=sigmoid gives values in [0, 1]", "between 0 and 255", "output=identity")

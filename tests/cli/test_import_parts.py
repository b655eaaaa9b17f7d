"""A file for each part of a model: loaded below its name, checked by file; codes with a shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

import lrx as lrx_package
from lrx.core.checksum import file_sha256
from lrx.storage import results
from lrx.training import checkpoint
from tests.conftest import Lrx
from tests.support.command_line import assert_refused

NET = """
from types import SimpleNamespace
from torch import nn

class Net(nn.Module):
    def __init__(self, extra=False):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 3, 2, stride=2))
        self.decoder = nn.Sequential(nn.ConvTranspose2d(3, 1, 2, stride=2), nn.Sigmoid())
        if extra:
            self.quant = nn.Conv2d(3, 3, 1)

    def encode(self, x):
        z = self.encoder(x)
        return SimpleNamespace(latent_dist=SimpleNamespace(mode=lambda: z))

    def decode(self, z):
        return SimpleNamespace(sample=self.decoder(z))
"""
OWN = ["autoencoder._target_=shaped.Net", "autoencoder.take=latent_dist", "trust=[shaped]", "name=x"]
DATA = ["dataset=arrays", "dataset.path=images.npy"]
BOTH = "weights={encoder:enc.pth,decoder:dec.pth}"


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[nn.Module, nn.Module]:
    """An encoder and a decoder, whose weights are in enc.pth and dec.pth."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "shaped.py").write_text(NET)
    np.save("images.npy", np.random.default_rng(0).integers(0, 256, (40, 4, 6), dtype=np.uint8))
    encoder = nn.Sequential(nn.Conv2d(1, 3, 2, stride=2))
    decoder = nn.Sequential(nn.ConvTranspose2d(3, 1, 2, stride=2), nn.Sigmoid())
    torch.save(encoder.state_dict(), "enc.pth")
    torch.save({"ema": {f"module.{key}": value for key, value in decoder.state_dict().items()}, "step": 3}, "dec.pth")
    return encoder, decoder


@pytest.mark.filterwarnings("ignore:.* reconstructs no better than the mean image")  # weights are random
def test_two_files_and_codes_with_a_shape(lrx: Lrx, parts: tuple[nn.Module, nn.Module]) -> None:
    torch.save(parts[1].state_dict(), "dec.pth")
    done = lrx("import", BOTH, *OWN, *DATA)
    assert done.returncode == 0, done.stderr
    assert "read 2 tensors from enc.pth\nread 2 tensors from dec.pth\n" in done.stderr
    model = lrx_package.load("outputs/import/x", trust=["shaped"]).model
    x, z = torch.rand(2, 1, 4, 6), torch.randn(2, 3, 2, 3)
    with torch.inference_mode():
        assert torch.equal(model.encode(x), parts[0](x))
        assert torch.equal(model.decode(z), parts[1](z))
    origin = checkpoint.load(Path("outputs/import/x/checkpoint.pt")).origin
    digests = [file_sha256(Path(name)) for name in ("enc.pth", "dec.pth")]
    assert origin == f"encoder of enc.pth, sha256 {digests[0]}; decoder of dec.pth, sha256 {digests[1]}"
    done = lrx("assay", "ckpt=outputs/import/x", "trust=[shaped]", "assay.num_samples=4", "name=a")
    assert done.returncode == 0, done.stderr
    assert results.read(Path("outputs/assay/a/result.h5")).provenance["latent_shape"] == "3 x 2 x 3"
    assert lrx("report", "outputs/assay/a").returncode == 0
    page = Path("outputs/assay/a/report.html").read_text(encoding="utf-8")
    assert "18 (3 x 2 x 3)" in page
    assert digests[1] in page


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([BOTH], ["dec.pth", "no state dict", "weights_key=ema"]),
        (["weights={encoder:enc.pth}"], ["weights={encoder} has no file for decoder.0.weight, decoder.0.bias"]),
        (
            ["weights={encoder:enc.pth,decoder:enc.pth}"],
            ["enc.pth does not fit", "wrong shape: 0.bias (3,)"],
        ),
        (["weights={enc:enc.pth}"], ["weights.enc=enc.pth", "it has encoder, decoder"]),
        (["weights={encoder:none.pth}"], ["weights=none.pth: no such file"]),
        (["weights={encoder:3}"], ["name the file of each part", "{encoder:enc.pth,decoder:dec.pth}"]),
        (["weights={}"], ["name the file of each part"]),
        (["weights=[enc.pth,dec.pth]"], ["weights", "{encoder:enc.pth,decoder:dec.pth}"]),
        (["weights={encoder:enc.pth}", "+autoencoder.extra=true"], ["no file for decoder.0.weight", "quant.weight"]),
        (["weights={encoder:enc.pth}", "latent_units=raw"], ["latent_units is for a folder of diffusers"]),
    ],
)
def test_files_that_do_not_fit(words: list[str], told: list[str], lrx: Lrx, parts: tuple[nn.Module, nn.Module]) -> None:
    assert_refused(lrx("import", *words, *OWN, *DATA), *told)
    assert not Path("outputs/import/x/checkpoint.pt").exists()


@pytest.mark.filterwarnings("ignore:.* reconstructs no better than the mean image")
def test_half_precision_is_told(lrx: Lrx, parts: tuple[nn.Module, nn.Module]) -> None:
    torch.save(parts[0].half().state_dict(), "enc.pth")
    safetensors.torch.save_file(parts[1].bfloat16().state_dict(), "dec.pth.safetensors")
    done = lrx("import", "weights={encoder:enc.pth,decoder:dec.pth.safetensors}", *OWN, *DATA)
    assert done.returncode == 0, done.stderr
    for dtype in ("float16", "bfloat16"):
        assert f"converted 2 tensors of {dtype} to float32" in done.stderr

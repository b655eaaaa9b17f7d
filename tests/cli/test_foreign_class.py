"""Classes of the user's own on the command line: memory order, dtype, lists, errors of their code, remarks, report."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from lrx.storage import results
from tests.conftest import Lrx
from tests.support.command_line import assert_refused

NETS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, sizes=(1, 8, 8), late=False):
        super().__init__()
        if sizes != (1, 8, 8):
            raise TypeError(f"sizes are {sizes!r}")
        self.late = late
        self.conv, self.down, self.up = nn.Conv2d(1, 2, 3, padding=1), nn.Linear(2 * 64, 3), nn.Linear(3, 64)

    def encode(self, x):
        return self.down(self.conv(x).view(len(x), -1))

    def decode(self, z):
        if self.late and len(z) == 16:
            raise KeyError("late")
        return torch.sigmoid(self.up(z)).view(-1, 1, 8, 8)

class Double(Net):
    def __init__(self):
        super().__init__()
        self.double()

class Plain(Net):
    def __init__(self, sizes):
        super().__init__(sizes)

class Draws(Net):
    def encode(self, x):
        return super().encode(x) + torch.randn(len(x), 3)

    def decode(self, z):
        return self.up(z).view(-1, 1, 8, 8)
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Words of `lrx import` for classes of the module `nets`, of weights and of 40 images."""
    name = f"nets_{tmp_path.name}"  # a module of each test
    (tmp_path / f"{name}.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    torch.manual_seed(0)
    parts = {"conv": nn.Conv2d(1, 2, 3, padding=1), "down": nn.Linear(128, 3), "up": nn.Linear(3, 64)}
    torch.save(nn.ModuleDict(parts).state_dict(), tmp_path / "weights.pt")
    np.savez(tmp_path / "images.npz", images=np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8))
    words = ["import", "weights=weights.pt", "dataset=arrays", "dataset.path=images.npz", "name=mine"]
    return [*words, f"trust=[{name}]", f"autoencoder._target_={name}."]


def imported(files: list[str], kind: str) -> list[str]:
    return [*files[:-1], files[-1] + kind]


def assay(files: list[str], *words: str) -> list[str]:
    return ["assay", "ckpt=outputs/import/mine", files[-2], "assay.num_samples=32", "name=mine", *words]


@pytest.mark.parametrize("kind", ["Net", "Double"])
def test_view_and_float64_are_measured(kind: str, files: list[str], lrx: Lrx, tmp_path: Path) -> None:
    assert lrx(*imported(files, kind)).returncode == 0
    done = lrx(*assay(files))
    assert done.returncode == 0, done.stderr
    assert "no better than the mean image" in done.stderr
    stored = results.read(tmp_path / "outputs/assay/mine/result.h5")
    assert stored.provenance["num_latents"] == 3
    remark = str(stored.assays["response_matrix"].settings["remark"])
    assert re.search(rf"{kind} reconstructs no better than the mean image \(squared error .*; no latent is", remark)
    assert done.stderr.count("no better than the mean image") == 1  # told before the work, not again


def test_channels_last_is_a_choice(files: list[str], lrx: Lrx) -> None:
    assert lrx(*imported(files, "Net")).returncode == 0
    refused = lrx(*assay(files, "channels_last=true"))
    assert_refused(refused, "encode was tried on images, (40, 1, 8, 8): nets_", "line 14, in encode: RuntimeError")
    assert_refused(lrx(*assay(files, "channels_last=1")), "channels_last must be null, true or false, not 1")


def test_late_error_is_one_line(files: list[str], lrx: Lrx, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lrx(*imported(files, "Net"), "+autoencoder.late=true").returncode == 0
    done = lrx(*assay(files, "assay.batch_size=16"))
    assert done.returncode == 2
    assert re.fullmatch(r"lrx: nets_\w+\.py, line 18, in decode: KeyError: 'late'", done.stderr.splitlines()[-1])
    assert "Traceback" not in done.stderr
    monkeypatch.setenv("LRX_DEBUG", "1")
    assert "Traceback" in lrx(*assay(files, "assay.batch_size=16")).stderr


def test_lists_come_as_tuples_where_asked(files: list[str], lrx: Lrx) -> None:
    assert lrx(*imported(files, "Net"), "+autoencoder.sizes=[1,8,8]").returncode == 0
    assert lrx(*assay(files)).returncode == 0
    refused = lrx(*imported(files, "Plain"), "+autoencoder.sizes=[1,8,8]", "hydra.run.dir=other")
    assert_refused(refused, "line 9, in __init__: TypeError: sizes are [1, 8, 8]; autoencoder.sizes came as a list")


def test_draws_and_logits_are_named(files: list[str], lrx: Lrx, tmp_path: Path) -> None:
    done = lrx(*imported(files, "Draws"))
    assert done.returncode == 0
    for part in ("Draws.encode draws, where the mean is meant", "Draws.decode gives -", "output=logits"):
        assert part in done.stderr
    done = lrx("assay", "ckpt=outputs/import/mine", files[-2], "assay=reconstruction", "name=mine")
    assert "cross-entropy and picture take them as 0 or 1" in done.stderr
    with h5py.File(tmp_path / "outputs/assay/mine/result.h5") as file:
        (remark,) = [value for key, value in file["reconstruction"].attrs.items() if key.endswith("remark")]
    assert "encode draws" in str(remark)


def test_report_claims_what_was_measured(files: list[str], lrx: Lrx, tmp_path: Path) -> None:
    assert lrx(*imported(files, "Net"), "model=betavae", "+autoencoder.late=false").returncode == 0
    for words, latents in (((), ""), (assay(files), " with 3 latents")):
        assert not words or lrx(*words).returncode == 0
        assert lrx("report", "outputs/import/mine", "out=page.html").returncode == 0
        page = (tmp_path / "page.html").read_text()
        (lead,) = re.findall(r'<p class="lead">(.*?)</p>', page)
        assert lead.startswith(f"Net{latents} on ")
        (facts,) = re.findall(r'<section id="facts">(.*?)</section>', page, re.S)
        assert "late False" in facts
        for claim in ("conv64", "BetaVAE", "kl exact", "network", "10", "seed"):
            assert claim not in re.sub(r"[0-9a-f]{64}", "", facts), claim

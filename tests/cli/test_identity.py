"""Identity of results: edited labels, images and code are never answered with a result of the former ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lrx.cli.commands import assay
from lrx.core.checksum import file_sha256
from lrx.storage import results
from tests.conftest import Lrx
from tests.support.command_line import assert_refused

pytestmark = pytest.mark.usefixtures("without_pictures")

ARRAYS = ["dataset=arrays", "dataset.path=coins.npz", "dataset.classes=classes"]
TRAIN = ["train", *ARRAYS, "model=ae", "network=mlp", "network.hidden=[8]", "latent_dim=2", "trainer.steps=5"]
ASSAY = ["assay", "assay=response_matrix", "assay.num_samples=8"]
NET = """from torch import nn
from widths import WIDTH

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Linear(64, WIDTH), nn.Linear(WIDTH, 64)

    def encode(self, x):
        return self.down(x.flatten(1))

    def decode(self, z):
        return (self.up(z) * {gain}).sigmoid().view(-1, 1, 8, 8)
"""


def write_coins(classes: np.ndarray, gain: int = 1) -> None:
    images = np.random.default_rng(0).integers(0, 256 // gain, (12, 8, 8), dtype=np.uint8)
    np.savez("coins.npz", images=images, classes=classes)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (np.arange(12)[:, None] % 3, np.arange(12)[:, None] % 4),  # labels
        (np.stack(np.divmod(np.arange(12), 3), 1), np.stack(np.divmod(np.arange(12), 4), 1)),  # a grid of other sizes
    ],
)
def test_corrected_labels_are_measured_anew(lrx: Lrx, tmp_path: Path, before: np.ndarray, after: np.ndarray) -> None:
    write_coins(before)
    assert lrx(*TRAIN, "name=coins").returncode == 0
    words = [*ASSAY, "ckpt=outputs/train/coins"]
    assert lrx(*words, "name=first").returncode == 0
    assert "is finished; nothing to do" in lrx(*words, "name=first").stderr

    write_coins(after)
    assert_refused(lrx(*words, "name=first"), "with other labels or factors of the same images", "give another name=")
    assert "is finished (5 steps)" in lrx(*TRAIN, "name=coins").stderr  # it reads no labels
    assert lrx(*words, "name=second").returncode == 0
    files = (tmp_path / f"outputs/assay/{name}/result.h5" for name in ("first", "second"))
    first, second = (results.read(file).provenance for file in files)
    assert first["observations_fingerprint"] == second["observations_fingerprint"]
    assert first["dataset_fingerprint"] != second["dataset_fingerprint"]

    write_coins(after, gain=2)
    assert_refused(lrx(*TRAIN, "name=coins"), "was trained on coins", "give the same data, or another name=")
    assert_refused(lrx(*words, "name=second"), "was measured on other data")


def test_edited_class_is_measured_anew(lrx: Lrx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    write_coins(np.zeros((12, 1), int))
    Path("widths.py").write_text("WIDTH = 2\n")
    Path("mine_edited.py").write_text(NET.format(gain=1))
    import mine_edited

    torch.save(mine_edited.Net().state_dict(), "net.pt")
    trust = ["trust=[mine_edited]"]
    imported = ["import", "weights=net.pt", "autoencoder._target_=mine_edited.Net", *trust, *ARRAYS, "name=net"]
    assert lrx(*imported).returncode == 0
    words = [*ASSAY, "ckpt=outputs/import/net", *trust, "name=net"]
    digests = []
    for file, text in ((None, ""), ("mine_edited.py", NET.format(gain=3)), ("widths.py", "WIDTH = 2  # latents\n")):
        if file:
            Path(file).write_text(text)
        done = lrx(*words)
        assert done.returncode == 0, done.stderr
        assert "is finished" not in done.stderr
        assert "is finished; nothing to do" in lrx(*words).stderr
        digests.append(results.read(tmp_path / "outputs/assay/net/result.h5").provenance["code_sha256"])
    assert len(set(digests)) == 3

    for text in ("WIDTH = 2\n", "WIDTH = 2  # edited\n"):
        Path("widths.py").write_text(text)
        done = lrx(*words[:-1], "name=shards", "assay.shards=2")
        assert done.returncode == 0, done.stderr
        assert "is finished" not in done.stderr
        digests.append(results.read(tmp_path / "outputs/assay/shards/result.h5").provenance["code_sha256"])
    assert digests[-2] == digests[1] != digests[-1]


def test_missing_data_leaves_finished_training(lrx: Lrx) -> None:
    write_coins(np.zeros((12, 1), int))
    assert lrx(*TRAIN, "name=coins").returncode == 0
    Path("coins.npz").unlink()
    done = lrx(*TRAIN, "name=coins")
    assert done.returncode == 0
    assert "is not compared with its data: " in done.stderr
    assert "is finished (5 steps)" in done.stderr


def test_checkpoint_replaced_while_an_assay_begins(lrx: Lrx, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a training that goes on: the result names the checkpoint whose weights were measured."""
    path, real = place / "outputs/train/run/checkpoint.pt", assay.load_model
    measured = file_sha256(path)
    monkeypatch.setattr(assay, "load_model", lambda *a, **k: (real(*a, **k), path.write_bytes(b"later weights"))[0])
    done = lrx("assay", "ckpt=outputs/train/run", "assay.num_samples=16", "name=early")
    assert done.returncode == 0, done.stderr
    assert results.read(place / "outputs/assay/early/result.h5").provenance["checkpoint_sha256"] == measured

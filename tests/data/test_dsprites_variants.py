"""Variants of dSprites: where the sprite is, what is drawn, and that an image is the same in every batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lrx.data import dsprites as module
from lrx.data.dsprites import NPZ, dsprites
from tests.conftest import Lrx
from tests.data.test_dsprites import FACTORS, IMAGES, NOT_PUBLISHED, N, write_npz

pytestmark = pytest.mark.filterwarnings(NOT_PUBLISHED)
IS_SPRITE = IMAGES[:, None].repeat(3, axis=1) == 1


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small official file, and a picture of a slope in each direction."""
    monkeypatch.setattr(module, "FACTORS", FACTORS)
    write_npz(tmp_path / NPZ)
    down, right = np.mgrid[0:100, 0:200]
    Image.fromarray(np.stack([down, right, 0 * down], axis=2).astype(np.uint8)).save(tmp_path / "slope.png")
    return tmp_path


def shown(root: Path, variant: str, picture: str | None = None) -> np.ndarray:
    dataset = dsprites(root=str(root), source="file", variant=variant, picture=picture)
    assert dataset.observation_shape == (3, 64, 64)
    assert dataset.factors == FACTORS
    images = dataset.raw(torch.arange(N)).numpy()
    some = torch.tensor([7, 0, 7])
    assert np.array_equal(dataset.raw(some).numpy(), images[some.numpy()])  # no matter with which others
    return images


def test_color_is_one_bright_color_an_image(root: Path) -> None:
    images = shown(root, "color")
    assert not images[~IS_SPRITE].any()
    colors = images.max(axis=(2, 3))
    assert np.array_equal(images, np.where(IS_SPRITE, colors[:, :, None, None], 0))
    assert colors.min() >= 127
    assert len(np.unique(colors, axis=0)) == N
    mean = 255 * 0.75
    assert abs(colors.mean() - mean) < 4 * 255 * 0.5 / np.sqrt(12) / np.sqrt(3 * N)  # four standard errors


def test_noise_is_uniform_around_the_sprite(root: Path) -> None:
    images = shown(root, "noisy")
    assert (images[IS_SPRITE] == 255).all()
    noise = images[~IS_SPRITE]
    counts = np.bincount(noise, minlength=256)
    expected = len(noise) / 256
    assert ((counts - expected) ** 2 / expected).sum() < 255 + 5 * np.sqrt(2 * 255)  # chi square of 255 degrees
    assert abs(np.corrcoef(noise[:-1], noise[1:])[0, 1]) < 5 / np.sqrt(len(noise))


def test_scream_inverts_a_patch_of_the_picture(root: Path) -> None:
    images = shown(root, "scream", str(root / "slope.png")).astype(np.int64)
    ground = np.where(IS_SPRITE, 255 - images, images)
    # halves of slopes: what is left of a channel without its colour rises by half a level a row, or a column
    down, right, flat = (ground[:, channel] for channel in range(3))
    assert (np.abs(np.diff(down, axis=1)) <= 1).all()
    assert (down[:, -1] - down[:, 0] >= 31).all()
    assert (np.diff(down, axis=2) == 0).all()
    assert (right[:, :, -1] - right[:, :, 0] >= 31).all()
    assert (flat == flat[:, :1, :1]).all()
    assert len(np.unique(flat[:, 0, 0])) > N / 4


def test_identity(root: Path) -> None:
    picture = str(root / "slope.png")
    plain = dsprites(root=str(root), source="file")
    chosen = [dsprites(root=str(root), source="file", variant=name) for name in ("color", "noisy")]
    scream = dsprites(root=str(root), source="file", variant="scream", picture=picture)
    assert len({dataset.fingerprint for dataset in (plain, *chosen, scream)}) == 4
    assert [dataset.name for dataset in chosen] == ["color_dsprites", "noisy_dsprites"]
    Image.open(picture).rotate(90, expand=True).save(picture)
    turned = dsprites(root=str(root), source="file", variant="scream", picture=picture)
    assert turned.fingerprint != scream.fingerprint
    assert "variant color (lrx variants 1)" in chosen[0].source


def test_refusals_as_typed(lrx: Lrx, root: Path) -> None:
    Image.new("RGB", (63, 200)).save(root / "narrow.png")
    (root / "text.png").write_text("no picture")
    cases = {
        "dataset.variant=colour": "dataset.variant must be one of color, noisy, scream, not 'colour'",
        "dataset.variant=scream": "dataset.picture must be the path of an image",
        "dataset.picture=slope.png": "dataset.picture is for dataset.variant=scream",
        "dataset.variant=noisy dataset.picture=slope.png": "dataset.picture is for dataset.variant=scream",
        "dataset.variant=scream dataset.picture=none.png": "none.png: no such file",
        "dataset.variant=scream dataset.picture=text.png": "text.png cannot be read",
        "dataset.variant=scream dataset.picture=narrow.png": "has 63 x 200 pixels within 350 x 274",
    }
    for words, message in cases.items():
        refused = lrx("prepare", "dataset=dsprites", "dataset.root=.", *words.split())
        assert refused.returncode == 2
        assert message in refused.stderr.splitlines()[-1], refused.stderr
    done = lrx("prepare", "dataset=dsprites", "dataset.root=.", "dataset.variant=scream", "dataset.picture=slope.png")
    assert done.returncode == 0, done.stderr
    assert f"ready: scream_dsprites, {N} images" in done.stderr

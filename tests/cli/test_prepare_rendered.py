"""`lrx prepare` of data sets without official files, and its help."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lrx.data import dsprites as module
from tests.cli.test_prepare import COMMAND, assert_nothing_else
from tests.conftest import Lrx
from tests.data.test_dsprites import FACTORS


def test_rendered_dataset(lrx: Lrx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FACTORS", FACTORS)
    monkeypatch.setattr(module, "render_sprites", lambda: [np.zeros((FACTORS.num_points, 64 * 64 // 8), np.uint8)])
    done = lrx(*COMMAND, "dataset.source=rendered")
    assert done.returncode == 0, done.stderr
    assert "dataset.source=rendered: official files of dsprites are not looked for\n" in done.stderr
    assert f"ready: dsprites, {FACTORS.num_points} images, rendered\n" in done.stderr
    assert_nothing_else(tmp_path, "here")


def test_dataset_without_official_files(lrx: Lrx, tmp_path: Path) -> None:
    done = lrx("prepare", "dataset=helix")
    assert done.returncode == 0, done.stderr
    assert "helix needs no official files\n" in done.stderr
    assert "ready: double helix, 1,024 points, " in done.stderr
    assert_nothing_else(tmp_path)


def test_the_folder_of_results_is_not_touched(lrx: Lrx, tmp_path: Path) -> None:
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs/mine").touch()
    assert lrx("prepare", "dataset=helix").returncode == 0
    assert_nothing_else(tmp_path / "outputs", "mine")


def test_help_names_the_keys(lrx_process: Lrx) -> None:
    done = lrx_process("prepare", "--help")
    assert done.returncode == 0
    official = "official: 3dshapes, cars3d, celeba"
    for word in ("lrx prepare dataset=", "download: false", "retries:", "timeout:", official):
        assert word in done.stdout

"""Folders of a sweep are named after what varies in it."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import TINY, Lrx


def test_folders_are_named_after_what_varies_and_keep_their_name_when_a_sweep_grows(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", *TINY, "seed=0,1", "name=s", "-m").returncode == 0
    first = {path.name.rpartition("-")[0]: path for path in (tmp_path / "outputs/train/s").iterdir() if path.is_dir()}
    assert set(first) == {"0", "1"}
    assert lrx("train", *TINY, "seed=0,1", "name=s", "latent_dim=2,3", "-m").returncode == 0
    names = {path.name.rpartition("-")[0] for path in (tmp_path / "outputs/train/s").iterdir() if path.is_dir()}
    assert names == {"0", "1", "2-0", "2-1", "3-0", "3-1"}
    assert lrx("train", *TINY, "seed=0", "name=s", "trainer.lr=0.030000000000000002,0.01", "-m").returncode == 0
    assert list((tmp_path / "outputs/train/s").glob("0.03-*"))

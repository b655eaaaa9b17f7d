"""Home folders in paths, as typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrx.core.paths import expand_user
from tests.cli.test_main import assert_refused
from tests.conftest import Lrx

NOBODY = "~nobody-of-that-name"


def test_expand_user_at_start_of_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expand_user("~") == tmp_path
    assert expand_user("~/data/a") == tmp_path / "data/a"
    for plain in ("data/~", "/data/~me", "", "."):
        assert expand_user(plain) == Path(plain)


@pytest.mark.parametrize("path", [NOBODY, f"{NOBODY}/data"])
def test_unknown_home_folder_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=rf"^{path}: there is no home folder {NOBODY} here"):
        expand_user(path)


@pytest.mark.parametrize(
    "words",
    [
        'assay ckpt="{}/run"',
        'import weights="{}/weights.pt" dataset=helix network=mlp',
        'prepare dataset=celeba dataset.root="{}"',
        'train dataset=dsprites dataset.root="{}"',
        'train dataset=3dshapes dataset.root="{}" dataset.source=rendered',
        'train dataset=mpi3d dataset.root="{}" dataset.source=rendered',
        'train dataset=celeba dataset.root="{}"',
        'train dataset=folder dataset.path="{}"',
        'train dataset=arrays dataset.path="{}"',
    ],
)
def test_commands_expand_user_in_every_path(words: str, lrx: Lrx, tmp_path: Path) -> None:
    assert_refused(lrx(*words.format(NOBODY).split()), f"there is no home folder {NOBODY}")
    assert not (tmp_path / NOBODY).exists()

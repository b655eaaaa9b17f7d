"""SHA-256 of the source of a class of one's own: its module, and what that imports from beside it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lrx.core.source_code import about_code, code_sha256, source_files

FILES = {
    "mynet.py": "import torch\nfrom layers import WIDTH\nimport parts.blocks\n",
    "layers.py": "WIDTH = 3\ndef late():\n    import numbers_of_mine\n",
    "numbers_of_mine.py": "",
    "parts/__init__.py": "",
    "parts/blocks.py": "from . import norms\nfrom .deep.inner import f\n",
    "parts/norms.py": "",
    "parts/deep/inner.py": "from ..other import *\ndef f(): pass\n",  # a namespace package
    "parts/other.py": "",
    "parts/unused.py": "",
    "plot.py": "import mynet\n",
    "torch.py": "",  # which the installed one hides only for those who import it first
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("mynet", "layers", "parts", "numbers_of_mine"):  # other tests import modules of these names
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_files_that_a_module_imports(place: Path) -> None:
    expected = "layers mynet numbers_of_mine parts parts.blocks parts.deep.inner parts.norms parts.other torch"
    assert sorted(source_files("mynet")) == expected.split()
    assert "mynet" not in sys.modules  # nothing is run


@pytest.mark.parametrize(
    "name", ["mynet.py", "layers.py", "numbers_of_mine.py", "parts/norms.py", "parts/deep/inner.py"]
)
def test_edited_files_change_digest(place: Path, name: str) -> None:
    before = code_sha256("mynet")
    assert code_sha256("mynet") == before
    (place / name).write_text(FILES[name] + "# edited\n")
    assert code_sha256("mynet") != before


@pytest.mark.parametrize("name", ["plot.py", "parts/unused.py"])
def test_unused_files_change_nothing(place: Path, name: str) -> None:
    before = code_sha256("mynet")
    (place / name).write_text("x = 1\n")
    assert code_sha256("mynet") == before


def test_installed_package_counts_version(monkeypatch: pytest.MonkeyPatch) -> None:
    assert source_files("h5py._hl.files").keys() == {"h5py", "h5py._hl", "h5py._hl.files"}
    before = code_sha256("h5py._hl.files")
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0")
    assert code_sha256("h5py._hl.files") != before


@pytest.mark.parametrize("module", ["lrx.models.vae", "no_such_module", "sys"])
def test_modules_without_source_of_ones_own(module: str) -> None:
    assert about_code(module) == {}

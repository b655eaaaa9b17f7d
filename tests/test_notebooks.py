"""The notebooks of the documentation run, and show what they say."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("run_notebooks")


def outputs(notebook: nbformat.NotebookNode) -> list[list[set[str]]]:
    """The kinds of every output of every code cell."""
    kinds = [
        [set(out.get("data", {"text": 0})) for out in cell.outputs] for cell in notebook.cells if "outputs" in cell
    ]
    return kinds


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_notebook_runs(path: Path, runner: ModuleType, tmp_path: Path) -> None:
    fresh, stored = runner.executed(path, tmp_path), nbformat.read(path, as_version=4)
    assert outputs(fresh) == outputs(stored), "run python scripts/run_notebooks.py"
    assert any("text/html" in kinds for cell in outputs(fresh) for kinds in cell)
    pages = [
        out.data["text/html"]
        for cell in fresh.cells
        for out in cell.get("outputs", [])
        if "text/html" in out.get("data", {})
    ]
    assert any("data:image/png;base64," in page and "num_informative" in page for page in pages)
    assert (tmp_path / "result.h5").is_file()

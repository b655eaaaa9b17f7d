"""What several test files share: the command line as typed, and one data folder for the whole session."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from lrx.assays.plotting import drawing, style
from lrx.cli import main

Lrx = Callable[..., subprocess.CompletedProcess[str]]

# A run that is over in a second: the helix, a small batch, twenty steps.
TINY = ["experiment=helix", "trainer.steps=20", "trainer.batch_size=32", "trainer.log_every=5"]


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for rendered data, so that a grid is rendered once in a session."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def environment(data_root: Path) -> dict[str, str]:
    """The environment of a person's shell, with LRX_DATA set."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("LRX_", "COLUMNS"))} | {
        "LRX_DATA": str(data_root)
    }


@pytest.fixture(autouse=True)
def no_traces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Modules that a test wrote and imported are forgotten, as the next test may write others of the same name."""
    before, folder = set(sys.modules), Path.cwd()
    yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path_factory.getbasetemp())):
            del sys.modules[name]
    assert Path.cwd() == folder, "a test has to return to the folder that it was started in"


@pytest.fixture(autouse=True)
def unfolded(no_traces: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line stays one line: test runners set COLUMNS, by which lrx breaks them. Undone before `no_traces` looks."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def lrx(tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Lrx:
    """Run `lrx ...` in an empty folder, in this process, which saves the seconds that importing torch takes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRX_DATA", str(data_root))
    monkeypatch.delenv("LRX_DEBUG", raising=False)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        capfd.readouterr()
        status = main.main(list(words))
        return subprocess.CompletedProcess(words, status, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for `place` to fill with a finished run and its assay, once in a session."""
    return tmp_path_factory.mktemp("finished")


@pytest.fixture
def place(lrx: Lrx, tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with an empty folder of data, the finished run `outputs/train/run` and its assay."""
    if not (finished / "outputs").exists():
        monkeypatch.chdir(finished)
        assert lrx("train", *TINY, "name=run").returncode == 0
        assert lrx("assay", "ckpt=outputs/train/run", "assay.num_samples=16", "name=run").returncode == 0
        monkeypatch.chdir(tmp_path)
    shutil.copytree(finished / "outputs", tmp_path / "outputs")
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("LRX_DATA", "data")
    return tmp_path


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Assays are not drawn, which takes longer than a small assay; tests/assays/test_*_plot.py draw each."""
    monkeypatch.setattr(drawing, "draw", lambda name, result, folder: [])


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved while the test runs."""
    saved: list[Figure] = []
    real = style.save
    monkeypatch.setattr(style, "save", lambda figure, path: (saved.append(figure), real(figure, path))[1])
    return saved


@pytest.fixture
def lrx_process(tmp_path: Path, environment: dict[str, str]) -> Lrx:
    """Run `lrx ...` in an empty folder, as typed, in a process of its own."""

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lrx.cli", *words],
            cwd=tmp_path,
            env=environment | variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run

"""Files that `status` and `collect` open: each of a run once, so that a study of thousands of runs takes its minute."""

from __future__ import annotations

import collections
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import pytest

from lrx.cli.commands.collect import collect_command
from lrx.cli.commands.status import status_command
from lrx.runs import processes
from tests.runs.test_over_seeds import model
from tests.runs.test_seeds_table import orders, write_run

OPENED: list[Path] | None = None  # None: not counted


def count(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and OPENED is not None and isinstance(arguments[0], str | Path):
        OPENED.append(Path(arguments[0]))


sys.addaudithook(count)


@contextmanager
def opened(top: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[collections.Counter[str]]:
    """How often files of run folders are opened in the block, by their paths in the folder."""
    global OPENED
    names: collections.Counter[str] = collections.Counter()
    OPENED, real = [], h5py.File.__init__

    def init(file: h5py.File, name: object, *arguments: object, **keywords: object) -> None:
        count("open", (name,))
        real(file, name, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(h5py.File, "__init__", init)
        yield names
    inner = [path.relative_to(top) for path in OPENED if path.is_relative_to(top)]
    names.update("/".join(path.parts[1:]) for path in inner if len(path.parts) > 1)
    OPENED = None


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Six runs with results, in two groups of seeds."""
    for number, order in enumerate(orders(6)):
        folder = tmp_path / f"run-{number}"
        write_run(folder, number % 3, dict(model(number, order).assays), model_lines=f"beta: {number // 3}")
        (folder / "metrics.jsonl").write_text('{"step": 1, "loss": 2}\n')
    return tmp_path


def test_status_opens_status_files_once(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(study, monkeypatch) as names:
        status_command(study, once=True)
    assert names == {"status.json": 6, "paper/status.json": 6}


def test_collect_opens_each_file_once(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(study, monkeypatch) as names:
        collect_command(study)
    assert 6 <= names.pop("paper/result.h5") <= 6 + 9  # what arrays are: of three assays, for the table and two groups
    texts = ("status.json", "config.yaml", "metrics.jsonl", "paper/status.json", "paper/config.yaml")
    assert names == dict.fromkeys(texts, 6)


def test_processes_give_the_same_tables(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collect_command(study)
    before = {path.name: path.read_bytes() for path in study.glob("*.csv")}
    monkeypatch.setattr(processes, "MANY", 2)
    monkeypatch.setattr(processes, "cpus", lambda: 2)
    (study / "run-5/paper/result.h5").write_text("damaged")
    collect_command(study)
    damaged = (study / "collected.csv").read_text()
    assert "result.h5 is not a readable results file" in damaged
    assert damaged.count("run-") == before["collected.csv"].decode().count("run-")
    assert damaged.splitlines()[1] == before["collected.csv"].decode().splitlines()[1]

"""Plan of a sweep: runs that were asked for and are not there; what `lrx status --forget` removes."""

from __future__ import annotations

import io
import json
import re
import shutil
import threading
import time
from pathlib import Path

import pytest

from lrx.cli.commands import train
from lrx.report import page
from lrx.runs import plan, status
from lrx.runs.catalog import find_runs, summary
from tests.conftest import TINY, Lrx

pytestmark = pytest.mark.usefixtures("without_pictures")
WORDS = ["train", *TINY, "trainer.steps=2", "seed=0,1,2,3", "name=s", "-m"]


def counts(lrx: Lrx, folder: str = "outputs/train/s") -> str:
    return lrx("status", folder, "--once").stdout.splitlines()[0].rstrip().partition(": ")[2]


def test_sweep_that_was_stopped_in_its_first_job(lrx: Lrx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def stopped(*_: object, **__: object) -> None:
        seen.append(summary(run.state for run in find_runs(tmp_path / "outputs/train/s")))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train, "train", stopped)
        assert lrx(*WORDS).returncode == 130
    assert seen == ["1 running, 3 queued"]
    shown = lrx("status", "outputs/train/s", "--once").stdout
    assert shown.splitlines()[0].rstrip() == "outputs/train/s: 1 interrupted, 3 missing"
    assert shown.count("not started; the same command starts it") == 3
    assert len(set(re.findall(r"betavae-\d-[0-9a-f]{8}", shown))) == 4
    assert max(map(len, shown.splitlines())) <= 80
    assert lrx("show", "outputs/train/s").returncode == 0


def test_missing_runs_get_the_names_that_status_says(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx(*WORDS[:-3], "seed=0,1", "name=s", "-m").returncode == 0
    names = {path.name for path in (tmp_path / "outputs/train/s").glob("*/")}
    assert plan.read(tmp_path / "outputs/train/s").keys() == names
    assert all(run.begun for run in plan.read(tmp_path / "outputs/train/s").values())


def test_deleted_and_renamed_runs(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx(*WORDS).returncode == 0
    assert counts(lrx) == "4 done"
    first, second, *_ = sorted((tmp_path / "outputs/train/s").glob("*/"))
    shutil.rmtree(first)
    second.rename(second.with_name("best"))
    assert counts(lrx) == "1 deleted, 3 done"
    assert f"{first.name} " in lrx("status", "outputs/train/s", "--once").stdout
    written, _ = page.write(tmp_path / "outputs/train/s", None)
    assert "4 runs: 1 deleted, 3 done." in written.read_text()
    assert lrx("collect", "outputs/train/s").returncode == 0
    assert f"\n{first.name},deleted," in (tmp_path / "outputs/train/s/collected.csv").read_text()
    forgotten = lrx("status", "outputs/train/s", "--forget", "deleted")
    assert forgotten.stdout.startswith("1 deleted, no longer planned:\n  outputs/train/s/")
    assert counts(lrx) == "3 done"


def test_forget_failed(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx(*WORDS[:-3], "seed=0,-1", "name=s", "-m").returncode == 2
    sweep = tmp_path / "outputs/train/s"
    by_state = {run.state: run.folder for run in find_runs(sweep)}
    folder, done = by_state["failed"], by_state["done"]
    (sweep / "kept").mkdir()
    status.write(sweep / "kept", status.Status("failed", "train", ("seed=9",), error="diverged"))
    shutil.copy(done / "checkpoint.pt", sweep / "kept")
    assert counts(lrx) == "2 failed, 1 done"
    forgotten = lrx("status", "outputs/train/s", "--forget", "failed")
    assert forgotten.returncode == 0
    lines = forgotten.stdout.splitlines()
    assert lines[0] == "outputs/train/s/kept: kept, as it holds checkpoint.pt; remove it yourself"
    assert lines[1] == "1 failed, without checkpoint and result, whose folders are removed:"
    assert lines[2].startswith(f"  outputs/train/s/{folder.name}: seed must be a whole number")
    assert not folder.exists()
    assert done.exists()
    assert counts(lrx) == "1 failed, 1 done"
    assert lrx("status", "outputs/train/s", "--forget", "done").stderr == (
        "lrx: lrx status: --forget=done must be failed, missing, deleted\n"
    )


def test_terminal_is_asked_before_runs_go(lrx: Lrx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s/a").mkdir(parents=True)
    status.write(tmp_path / "s/a", status.Status("failed", "train", error="why"))
    monkeypatch.setattr("lrx.cli.console.messages.is_terminal", lambda: True)
    for answer, is_there in (("n", True), ("", True), ("y", False)):
        monkeypatch.setattr("builtins.input", lambda _, answer=answer: answer)
        lrx("status", "s", "--forget", "failed")
        assert (tmp_path / "s/a").exists() == is_there


def test_terminal_without_input_forgets_nothing(lrx: Lrx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s/a").mkdir(parents=True)
    status.write(tmp_path / "s/a", status.Status("failed", "train", error="why"))
    monkeypatch.setattr("lrx.cli.console.messages.is_terminal", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO())  # at its end, as after Ctrl-D
    assert lrx("status", "s", "--forget", "failed").returncode == 0
    assert (tmp_path / "s/a").exists()


def test_failed_assay_makes_the_run_failed_in_the_report(lrx: Lrx, place: Path) -> None:
    shutil.copytree(place / "outputs/train/run", place / "outputs/train/two")
    (place / "outputs/train/run/paper").mkdir()
    status.write(place / "outputs/train/run/paper", status.Status("failed", "assay", error="no factors"))
    assert counts(lrx, "outputs/train") == "1 failed, 1 done"
    written, faults = page.write(place / "outputs/train", None)
    assert "2 runs: 1 failed, 1 done." in written.read_text()
    assert "run: paper: no factors" in faults


@pytest.mark.parametrize("text", ["", "[]", '{"runs": {"../x": {}}}', '{"runs": {"a": {"command": 1}}}', "{" * 5000])
def test_damaged_plan_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / plan.FILENAME).write_text(text)
    assert plan.read(tmp_path) == {}
    escape = {"runs": {"../x": {"command": "train", "overrides": [], "begun": False}}}
    (tmp_path / plan.FILENAME).write_text(json.dumps(escape))
    assert plan.read(tmp_path) == {}


@pytest.mark.filterwarnings("ignore:another process is making")
def test_launchers_of_one_sweep_keep_all_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = plan.read
    monkeypatch.setattr(plan, "read", lambda sweep: (real(sweep), time.sleep(0.02))[0])  # for the others to write

    def launch(number: int) -> None:
        with plan.launcher(tmp_path, {f"run{number}": plan.Planned("train", (f"seed={number}",))}):
            pass

    threads = [threading.Thread(target=launch, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(real(tmp_path)) == [f"run{number}" for number in range(5)]
    assert {path.name for path in tmp_path.iterdir()} == {plan.FILENAME, plan.LOCK}

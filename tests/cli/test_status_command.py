"""`lrx status`: how many runs are in which state, how far, and why not; on 80 columns, and live on a terminal."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.console import Console

from lrx.cli.commands import status as watch
from lrx.cli.console import messages
from lrx.runs import status
from tests.conftest import TINY, Lrx


def run_in(folder: Path, state: str, **known: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    status.write(folder, status.Status(state, "train", **known))


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Path]:
    """A run in each state; the lock of the running one is held."""
    top = tmp_path / "sweep"
    run_in(top / "waits", "queued")
    run_in(top / "ended", "done")
    run_in(top / "ended-too", "done")
    run_in(top / "broke", "failed", error="the loss is nan at step 5; lower trainer.lr=1e+30, " + "or so " * 30)
    run_in(top / "killed", "running", step=57, steps=100)
    with ExitStack() as stack:
        work = stack.enter_context(status.run_session(top / "works", command="train", overrides=(), config="c"))
        work.update(step=1200, steps=100_000, rate=35.25, seconds_left=2803.0)
        yield top


def test_states_and_list(lrx: Lrx, sweep: Path) -> None:
    done = lrx("status", "sweep")
    assert done.returncode == 0
    assert done.stderr == ""
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[0] == "sweep: 1 running, 1 failed, 1 interrupted, 1 queued, 2 done"
    assert [line.split()[:2] for line in lines[1:]] == [
        ["works", "running"],
        ["broke", "failed"],
        ["killed", "interrupted"],
    ]
    assert lines[1].split(maxsplit=2)[2] == "1200/100000  35.2 steps/s  46:43 left"
    assert lines[2].endswith("…")
    assert lines[3].endswith("at step 57 of 100")
    assert max(map(len, lines)) <= 80


def test_large_sweep_is_cut(lrx: Lrx, tmp_path: Path) -> None:
    for number in range(500):
        folder = tmp_path / f"s/run-{number:03}"
        folder.mkdir(parents=True)
        state = "failed" if number % 5 == 0 else "done"
        (folder / "status.json").write_text(json.dumps({"state": state, "error": "why"}))
    done = lrx("status", "s", "--once")
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[0] == "s: 100 failed, 400 done"
    assert len(lines) == 22
    assert lines[-1] == "and 80 more"


def test_long_names(lrx: Lrx, tmp_path: Path) -> None:
    run_in(tmp_path / "s" / ("betavae-0.1-" * 8 + "5b8202"), "failed", error="the loss is inf at step 3")
    row = lrx("status", "s").stdout.splitlines()[1]
    assert row.split()[0].startswith("betavae-0.1-")
    assert row.split()[0].endswith("…-5b8202")  # what tells it from the others
    assert "the loss is inf at step 3" in row
    assert len(row.rstrip()) <= 80


def test_run_with_its_assay(lrx: Lrx, tmp_path: Path) -> None:
    run_in(tmp_path / "s/a", "done")
    with status.run_session(tmp_path / "s/a/paper", command="assay", overrides=(), config="c"):
        assert lrx("status", "s").stdout.splitlines()[1].split() == ["a", "running", "paper", "assay"]
    assert lrx("status", "s").stdout.split() == ["s:", "1", "done"]
    assert lrx("status", "s/a").stdout.split() == ["s/a:", "1", "done"]


def test_unknown_state(lrx: Lrx, tmp_path: Path) -> None:
    (tmp_path / "s/old").mkdir(parents=True)
    (tmp_path / "s/old/config.yaml").write_text("seed: 0\n")
    (tmp_path / "s/odd").mkdir()
    (tmp_path / "s/odd/status.json").write_text('{"state": "tired"}')
    lines = [line.split() for line in lrx("status", "s").stdout.splitlines()]
    assert lines[0] == ["s:", "2", "unknown"]
    assert lines[1] == ["odd", "unknown", "status.json", "is", "not", "one", "of", "lrx"]
    assert lines[2] == ["old", "unknown", "there", "is", "no", "status.json"]


def test_control_characters(lrx: Lrx, tmp_path: Path) -> None:
    run_in(tmp_path / "s/[bold]a", "failed", error="\x1b[2J[red]bad[/]\nworse")
    shown = lrx("status", "s").stdout
    assert "[bold]a" in shown
    assert "?[2J[red]bad[/] worse" in shown
    assert "\x1b" not in shown


def test_failed_sweep(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", *TINY, "seed=0", "trainer.lr=0.01,1e30", "name=s", "-m").returncode == 2
    lines = lrx("status", "outputs/train/s").stdout.splitlines()
    assert lines[0].rstrip() == "outputs/train/s: 1 failed, 1 done"
    assert "failed" in lines[1]
    assert "the loss is" in lines[1]


def test_without_torch(tmp_path: Path, environment: dict[str, str]) -> None:
    run_in(tmp_path / "s/a", "done")
    for words in (["status", "s"], ["collect", "s"]):
        code = f"import sys; from lrx.cli.main import main; main({words!r}); print('torch' in sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.split()[-1] == "False"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal of 80 columns and 8 lines, and a clock that does not wait."""
    written = io.StringIO()
    made = Console(file=written, force_terminal=True, width=80, height=8, color_system=None, highlight=False)
    monkeypatch.setattr(messages, "stdout_console", lambda: made)
    monkeypatch.setattr(messages, "is_terminal", lambda: True)
    return written


def test_terminal_is_refreshed(sweep: Path, terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def wait(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            run_in(sweep / "works", "done")
            run_in(sweep / "waits", "done")

    monkeypatch.setattr(watch.time, "sleep", wait)
    watch.status_command(sweep, once=False)
    shown = terminal.getvalue()
    assert "1 running, 1 failed, 1 interrupted, 1 queued, 2 done" in " ".join(shown.split())
    assert "1 failed, 1 interrupted, 4 done" in " ".join(shown.split())
    assert looks == [watch.EVERY] * (3 + watch.QUIET - 1)


def test_terminal_height(tmp_path: Path, terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        run_in(tmp_path / f"run-{number:02}", "failed", error="why")
    run_in(tmp_path / "last", "queued")
    monkeypatch.setattr(watch.time, "sleep", lambda _: run_in(tmp_path / "last", "done"))
    watch.status_command(tmp_path, once=False)
    frame = terminal.getvalue().split("and 46 more")[0]
    assert frame.count("why") == 4
    assert "run-03" in frame


def test_interrupt(sweep: Path, terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watch.time, "sleep", interrupt)
    watch.status_command(sweep, once=False)
    assert status.read(sweep / "works").state == "running"


def test_ended_runs_are_shown_once(tmp_path: Path, terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    run_in(tmp_path / "s/a", "done")
    monkeypatch.setattr(watch.time, "sleep", lambda _: pytest.fail("there is nothing to wait for"))
    watch.status_command(tmp_path / "s", once=False)
    assert " ".join(terminal.getvalue().split()).endswith("1 done")  # a long path takes the line before

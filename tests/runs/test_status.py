"""Status of a run folder: running, ended, killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lrx.runs import status

HOLD = """
import sys, time
from pathlib import Path
from lrx.runs import status
with status.run_session(Path(sys.argv[1]), command="train", overrides=("seed=0",), config="c") as work:
    work.update(step=5, steps=10)
    print("working", flush=True)
    time.sleep(60)
"""


def run_session(folder: Path, config: str = "c", inputs: dict[str, str] | None = None) -> object:
    return status.run_session(folder, command="train", overrides=("seed=0",), config=config, inputs=inputs)


@contextmanager
def another_process(code: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has said its first line."""
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            yield process
        finally:
            process.kill()


def test_running_then_done(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    assert status.read(folder) is None
    with run_session(folder) as work:
        assert status.read(folder).state == "running"
        work.update(step=3, steps=10, rate=2.5)
        state = status.read(folder)
        assert (state.step, state.steps, state.rate, state.pid) == (3, 10, 2.5, os.getpid())
        assert not status.finished(folder, "c")
    assert status.read(folder).state == "done"
    assert status.finished(folder, "c")
    assert not status.finished(folder, "another config")
    assert not status.finished(folder, "c", {"checkpoint": "abc"})


def test_finished_depends_on_inputs(tmp_path: Path) -> None:
    with run_session(tmp_path, inputs={"checkpoint": "abc"}):
        pass
    assert status.finished(tmp_path, "c", {"checkpoint": "abc"})
    assert not status.finished(tmp_path, "c", {"checkpoint": "abd"})


@pytest.mark.parametrize(
    ("error", "line"),
    [(ValueError("the loss is nan"), "the loss is nan"), (ZeroDivisionError("x"), "ZeroDivisionError: x")],
)
def test_failed_run_has_error(tmp_path: Path, error: Exception, line: str) -> None:
    with pytest.raises(type(error)), run_session(tmp_path):
        raise error
    assert status.read(tmp_path).state == "failed"
    assert status.read(tmp_path).error == line
    assert not status.is_locked(tmp_path)


def test_interrupt_is_not_failure(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), run_session(tmp_path):
        raise KeyboardInterrupt
    assert status.read(tmp_path).state == "interrupted"


def test_lock_refuses_second_process_and_ends_with_process(tmp_path: Path) -> None:
    with another_process(HOLD, tmp_path) as process:
        assert status.is_locked(tmp_path)
        assert status.read(tmp_path).state == "running"
        with (
            pytest.raises(status.BusyError, match=rf"is being worked on by process {process.pid} on "),
            run_session(tmp_path),
        ):
            pass
        assert status.read(tmp_path).step == 5  # the refused one wrote nothing
    assert process.returncode == -signal.SIGKILL
    assert status.read(tmp_path).state == "interrupted"
    with run_session(tmp_path):
        pass
    assert status.read(tmp_path).state == "done"


def test_lock_is_of_the_folder_that_is_there(tmp_path: Path) -> None:
    """As the holder of the lock removes the folder that another process waits for, such as a refused run's."""
    folder, locked = tmp_path / "run", []

    def wait() -> None:
        with status.lock(folder):
            locked.append(status.is_locked(folder))

    waiting = threading.Thread(target=wait)
    with status.lock(folder):
        waiting.start()
        time.sleep(0.2)
        shutil.rmtree(folder)
    waiting.join()
    assert locked == [True]


def test_reading_does_not_block_a_start(tmp_path: Path) -> None:
    looking = (
        "import sys, pathlib\nfrom lrx.runs import status\nprint('looking', flush=True)\n"
        "while True: status.is_locked(pathlib.Path(sys.argv[1]))"
    )
    (tmp_path / status.LOCK).touch()
    with another_process(looking, tmp_path):
        for _ in range(5):
            with run_session(tmp_path):
                assert status.read(tmp_path).state == "running"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"state": "flying"}', '{"state": 1}', "\x00\x01"])
def test_invalid_status_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / status.FILENAME).write_text(content)
    assert status.read(tmp_path) is None


def test_unknown_fields_are_ignored(tmp_path: Path) -> None:
    (tmp_path / status.FILENAME).write_text(json.dumps({"state": "done", "step": 7, "colour": "blue"}))
    assert status.read(tmp_path) == status.Status("done", step=7)


def test_slurm_job_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    with run_session(tmp_path):
        assert status.read(tmp_path).job == "12_3"


def test_refused_run_is_removed(tmp_path: Path) -> None:
    def left(name: str, *, steps: int = 0, state: str = "failed", file: str = "") -> bool:
        folder = tmp_path / name
        folder.mkdir()
        (folder / status.LOCK).touch()
        status.write(folder, status.Status(state, "assay", steps=steps, error="why"))
        if file:
            (folder / file).touch()
        status.remove_refused(folder)
        return folder.exists()

    assert not left("refused")
    assert left("began", steps=10)
    assert left("queued", state="queued")
    assert left("measured before", file="result.h5")
    status.remove_refused(tmp_path / "none")

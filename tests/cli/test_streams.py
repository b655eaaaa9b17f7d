"""Standard output and standard error that are closed, full, or left by their reader: work goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import TINY

Shell = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def shell(place: Path, environment: dict[str, str]) -> Shell:
    """Run a line of bash in the folder of a finished run; `$lrx` is the command."""

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line],
            cwd=place,
            env=environment | {"lrx": f"{sys.executable} -m lrx.cli", "LRX_DATA": "data"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def states(place: Path) -> dict[str, str]:
    return {
        str(path.parent.relative_to(place / "outputs")): json.loads(path.read_text())["state"]
        for path in place.glob("outputs/**/status.json")
    }


def test_training_and_its_assay_outlive_the_reader(shell: Shell, place: Path) -> None:
    words = f"{' '.join(TINY)} name=left 'then=[response_matrix,\"assay.num_samples=16\"]'"
    assert shell(f"$lrx train {words} 2>&1 | true; echo ${{PIPESTATUS[0]}}").stdout == "0\n"
    assert states(place)["train/left"] == "done"
    assert states(place)["train/left/response_matrix"] == "done"


def test_sweep_outlives_the_reader(shell: Shell, place: Path) -> None:
    line = f"$lrx train -m {' '.join(TINY)} seed=1,2 name=sweep 2>&1 | true; echo ${{PIPESTATUS[0]}}"
    assert shell(line).stdout == "0\n"
    assert [state for run, state in states(place).items() if "sweep" in run] == ["done", "done"]


@pytest.mark.parametrize("redirection", ["2>/dev/full", ">/dev/full", "<&- >&- 2>&-"])
def test_assay_without_streams(shell: Shell, place: Path, redirection: str) -> None:
    done = shell(f"$lrx assay ckpt=outputs/train/run assay.num_samples=16 name=again {redirection}")
    assert done.returncode == 0
    assert (place / "outputs/assay/again/result.h5").is_file()
    assert "Traceback" not in done.stderr
    if redirection == ">/dev/full":
        assert "lrx: warning: standard output cannot be written: no space left on device" in done.stderr


@pytest.mark.parametrize("words", ["show outputs/assay/run", "status outputs --once", "train --cfg job", "--help"])
@pytest.mark.parametrize(
    ("redirection", "reason"), [(">/dev/full", "no space left on device"), (">&-", "bad file descriptor")]
)
def test_unprinted_text_is_an_error(shell: Shell, words: str, redirection: str, reason: str) -> None:
    done = shell(f"$lrx {words} {redirection}")
    assert (done.returncode, done.stderr) == (2, f"lrx: standard output cannot be written: {reason}\n")


def test_refusal_keeps_its_status_without_streams(shell: Shell) -> None:
    assert shell("$lrx show nowhere >&- 2>&-").returncode == 2
    assert shell("$lrx train modle=vae 2>/dev/full").returncode == 2

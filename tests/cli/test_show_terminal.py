"""`lrx show` on terminals: narrow, without colours or Unicode, and pipes that are closed."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from lrx.cli.console import tables
from lrx.storage import results
from tests.cli.test_show import written
from tests.conftest import Lrx


def test_cell_colours(tmp_path: Path) -> None:
    stored = results.read(written(tmp_path / "result.h5", 3))
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, color_system="truecolor", width=80)
    console.print(*tables.file_parts(stored, 80))
    shown = screen.getvalue()
    assert "48;2;0;34;78m" in shown.replace("38;2;255;255;255;", "")  # the darkest, of the value 0
    light = [line for line in shown.splitlines() if "0.89" in line]
    assert "38;2;0;0;0;48;2;" in light[0]  # black on light


@pytest.mark.parametrize("width", [40, 60, 200])
def test_columns_that_fit(lrx: Lrx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    written(tmp_path / "result.h5", 24)
    monkeypatch.setenv("COLUMNS", str(width))
    lines = lrx("show", "result.h5").stdout.splitlines()
    assert max(map(len, lines)) <= width
    assert len([line for line in lines if line.startswith("┏")]) == -(-24 // ((width - 5) // 7))


def test_ascii_terminal(lrx_process: Lrx, tmp_path: Path) -> None:
    written(tmp_path / "result.h5", 2)
    done = lrx_process("show", "result.h5", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert "cds              0.75 +- 0.012" in done.stdout
    assert "|  | 0.000| 0.025|" in done.stdout
    assert "intervened 2 x responding 2" in done.stdout


def test_terminal_colours(environment: dict[str, str], tmp_path: Path) -> None:
    written(tmp_path / "result.h5", 2)

    def drawn(**variables: str) -> str:
        ours, theirs = pty.openpty()
        plain = {key: value for key, value in environment.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
        command = [sys.executable, "-m", "lrx.cli", "show", "result.h5"]
        with subprocess.Popen(command, cwd=tmp_path, env=plain | variables, stdout=theirs, stdin=theirs) as process:
            os.close(theirs)
            parts = []
            try:
                while part := os.read(ours, 65536):
                    parts.append(part)
            except OSError:  # how Linux says that the other side is closed
                pass
        os.close(ours)
        assert process.returncode == 0
        return b"".join(parts).decode()

    assert "\x1b[38;2;255;255;255;48;2;0;34;78m" in drawn(TERM="xterm", COLORTERM="truecolor")
    assert "48;" not in drawn(TERM="xterm", COLORTERM="truecolor", NO_COLOR="1")
    assert "\x1b" not in drawn(TERM="dumb")


def test_closed_pipe(environment: dict[str, str], tmp_path: Path) -> None:
    written(tmp_path / "result.h5", 24)
    ours, theirs = os.pipe()
    os.close(ours)  # nobody reads
    done = subprocess.run(
        [sys.executable, "-m", "lrx.cli", "show", "result.h5"],
        cwd=tmp_path,
        env=environment,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (0, "")

"""Commands of a report as lines of a shell."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from lrx.report import commands
from lrx.runs.catalog import Run
from lrx.runs.status import Status


def test_commands_as_shell_lines() -> None:
    command = ("assay", ("assay=paper", "ckpt='outputs/train/one'", "name='1'", "note='a b'"))
    (line,) = commands.shell_lines([command])
    assert shlex.split(line) == ["lrx", "assay", "assay=paper", "ckpt=outputs/train/one", "name='1'", "note='a b'"]
    runs = [("train", (f"model={model}", f"seed={seed}", "name=x")) for model in ("ae", "vae") for seed in (0, 1)]
    assert commands.sweep_lines(runs) == ["lrx train -m model=ae,vae seed=0,1 name=x"]
    assert commands.sweep_lines(runs[:3]) == commands.shell_lines(runs[:3])  # no product of choices
    assert commands.sweep_lines([*runs, ("import", ())])[1:] == ["lrx import"]


@pytest.mark.parametrize(
    ("folder", "typed", "line"),
    [
        ("train/a", ("seed=0", "name=a"), "lrx train seed=0 name=a"),
        ("train/2026-11-30", ("seed=0",), "lrx train seed=0 name=2026-11-30"),
        ("train/s/vae-0-01234567", ("seed=0", "name=s"), "lrx train -m seed=0 name=s"),
        ("train/moved/vae-0-01234567", ("seed=0", "name=moved"), "lrx train -m seed=0 name=moved"),
        ("train/s/1", ("seed=0", "name=s/1"), "lrx train seed=0 name=s/1"),
    ],
)
def test_command_that_goes_on(folder: str, typed: tuple[str, ...], line: str, tmp_path: Path) -> None:
    run = Run("x", tmp_path / "outputs" / folder, frozenset(), Status("interrupted", "train", typed))
    assert commands.shell_lines([commands.command_again(run, run)]) == [line]
    assert commands.sweep_lines([commands.command_again(run, run)]) == [line]
    matrix = Status("failed", "assay", ("assay=paper", "assay.seed='a'", "ckpt=x", "name=paper"))
    inner = Run("y", run.folder / "paper", frozenset(), matrix)
    (again,) = commands.shell_lines([commands.command_again(run, inner)])
    words = shlex.split(line)
    assert sorted(shlex.split(again)) == sorted([*words, """then=[paper,"assay.seed='a'"]"""])

"""Commands of a report as lines of a shell."""

from __future__ import annotations

import shlex

from lrx.report import commands


def test_commands_as_shell_lines() -> None:
    command = ("assay", ("assay=paper", "ckpt='outputs/train/one'", "name='1'", "note='a b'"))
    (line,) = commands.shell_lines([command])
    assert shlex.split(line) == ["lrx", "assay", "assay=paper", "ckpt=outputs/train/one", "name='1'", "note='a b'"]
    runs = [("train", (f"model={model}", f"seed={seed}", "name=x")) for model in ("ae", "vae") for seed in (0, 1)]
    assert commands.sweep_lines(runs) == ["lrx train -m model=ae,vae seed=0,1 name=x"]
    assert commands.sweep_lines(runs[:3]) == commands.shell_lines(runs[:3])  # no product of choices
    assert commands.sweep_lines([*runs, ("import", ())])[1:] == ["lrx import"]

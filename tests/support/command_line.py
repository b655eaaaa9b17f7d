"""Checks of what `lrx ...` did, shared by the tests of the command line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import torch

from lrx.training import checkpoint


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load(folder / "checkpoint.pt").model


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert torch.equal(value, second[key]), key


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit status 2 and one line that holds all these words."""
    assert done.returncode == 2, (done.returncode, done.stderr)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("preparing")]
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0], lines[0]

"""Commands of the page: quoted for a shell, and calls of python that do what they say."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

import lrx
from lrx.explore.commands import in_python, in_shell
from lrx.explore.strip import draw
from lrx.explore.view import View
from tests.explore.sessions import A, linear
from tests.support.models_for_tests import Linear, Vectors

VIEWS = [View(1, set={2: -0.5}), View(1, other=4, take=(0,))]


def test_command_is_quoted_for_a_shell() -> None:
    commands = in_shell(["ckpt=my run"])
    assert shlex.split(commands.draw(VIEWS[:1], [2, 0])) == [
        *["lrx", "explore", "ckpt=my run", "views=[{image:1,set:{2:-0.5}}]", "show=[2,0]", "out=strip.png"]
    ]
    assert shlex.split(commands.measure) == ["lrx", "assay", "ckpt=my run", "assay=response_matrix"]


def test_python_call_draws_the_strip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model, images = Linear(A), Vectors(100)
    with pytest.warns(UserWarning, match="reconstructs"):  # A is no identity
        exec(in_python("model, images").draw(VIEWS, [2, 0]), {"lrx": lrx, "model": model, "images": images})
    assert (tmp_path / "strip.png").read_bytes() == draw(linear(), VIEWS, [2, 0], "png")

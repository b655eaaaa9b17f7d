"""Compiled networks, and the runs that compile."""

from __future__ import annotations

import multiprocessing
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lrx.training import compile
from lrx.training.loop import TrainSettings
from tests.training.test_loop import SETTINGS, run


def frames_of_training(folder: Path) -> tuple[int, dict[str, Tensor], dict[str, Tensor]]:
    """Train plain and compiled, without a C++ compiler; return the frames that torch compiled, and both states."""
    real = torch.compile
    warnings.filterwarnings("ignore", "The .grad attribute of a Tensor", UserWarning)  # which torch itself only hides
    torch.compile = lambda forward, *, dynamic, options: real(forward, backend="eager", dynamic=dynamic)
    TrainSettings.compiles = lambda settings, device: bool(settings.compile)  # type: ignore[method-assign]
    plain, compiled = run(folder / "a.pt"), run(folder / "b.pt", replace(SETTINGS, compile=True))
    return torch._dynamo.utils.counters["frames"]["ok"], plain.state_dict(), compiled.state_dict()


def test_compiled_networks_keep_names_and_numbers(tmp_path: Path) -> None:
    """In a process of its own, since torch counts what other tests compiled."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
        frames, plain, compiled = alone.submit(frames_of_training, tmp_path).result()
    assert frames == 2  # encoder and decoder, once each, though both are an nn.Sequential
    assert list(plain) == list(compiled)
    assert all(torch.equal(plain[name], compiled[name]) for name in plain)


def test_compile_auto_is_for_long_runs_on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    monkeypatch.setattr(compile.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(Path, "exists", lambda path: True)
    long = replace(SETTINGS, steps=compile.MIN_IMAGES // 32, batch_size=32)
    short = replace(long, steps=long.steps - 1)
    choices = [
        replace(settings, compile=choice).compiles(device)
        for device in (cpu, cuda)
        for settings in (short, long)
        for choice in (False, True, "auto")
    ]
    assert choices == [False, True, False, False, True, False, False, True, False, False, True, True]
    monkeypatch.setattr(compile.shutil, "which", lambda name: None)
    monkeypatch.setenv("CXX", "strange++")
    assert not replace(long, compile="auto").compiles(cuda)
    with pytest.raises(ValueError, match=r"^compile=true needs strange\+\+, which is not there"):
        replace(long, compile=True).compiles(cpu)

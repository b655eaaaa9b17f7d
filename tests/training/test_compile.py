"""Compiled networks, and the runs that compile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lrx.training import compile
from lrx.training.loop import TrainSettings
from tests.training.test_loop import SETTINGS, assert_same, run


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # which torch itself only hides
def test_compiled_networks_keep_names_and_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = torch.compile

    def compile_without_a_compiler(forward: Callable[..., object], *, dynamic: bool, options: object) -> object:
        return real(forward, backend="eager", dynamic=dynamic)

    monkeypatch.setattr(torch, "compile", compile_without_a_compiler)
    monkeypatch.setattr(TrainSettings, "compiles", lambda settings, device: settings.compile)
    torch._dynamo.reset()  # what other tests compiled of nn.Sequential counts towards its limit
    frames = torch._dynamo.utils.counters["frames"]
    frames.clear()
    plain, compiled = run(tmp_path / "a.pt"), run(tmp_path / "b.pt", replace(SETTINGS, compile=True))
    assert frames["ok"] == 2  # encoder and decoder, once each, though both are an nn.Sequential
    assert list(plain.state_dict()) == list(compiled.state_dict())
    assert_same(plain, compiled)


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

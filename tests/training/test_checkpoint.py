"""Checkpoints: written whole or not at all, everything restored, nothing executed."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lrx.core.paths import CHECKPOINT
from lrx.storage.state_dict import load_weights
from lrx.training import checkpoint
from tests.support.pickle_payload import Payload

DATA = {"name": "toy", "source": "made", "fingerprint": "abc"}


def save(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer | None = None, step: int = 5) -> None:
    checkpoint.save(path, model=model, optimizer=optimizer, step=step, steps=10, config="a: 1", data=DATA)


def test_save_and_load(tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    save(tmp_path / "c.pt", model)
    loaded = checkpoint.load(tmp_path / "c.pt")
    assert torch.equal(loaded.model["weight"], model.weight)
    assert (loaded.step, loaded.steps, loaded.config, loaded.data, loaded.origin) == (5, 10, "a: 1", DATA, "")
    assert not loaded.finished
    assert list(tmp_path.iterdir()) == [tmp_path / "c.pt"]


def test_resume_restores_every_state(tmp_path: Path) -> None:
    def one_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        model(torch.randn(4, 3)).square().sum().backward()
        optimizer.step()

    model = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters(), 0.1)
    one_step(model, optimizer)
    save(tmp_path / "c.pt", model, optimizer)
    after = (random.random(), np.random.rand(), torch.rand(1).item())  # noqa: NPY002
    save(tmp_path / "d.pt", model, optimizer)
    one_step(model, optimizer)

    other = nn.Linear(3, 2)
    again = torch.optim.Adam(other.parameters(), 0.1)
    assert checkpoint.resume(tmp_path / "c.pt", other, again, DATA) == (5, "")
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == after  # noqa: NPY002
    checkpoint.resume(tmp_path / "d.pt", other, again, DATA)
    one_step(other, again)
    assert torch.equal(other.weight, model.weight)


def test_cpu_run_does_not_start_cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is a card, asking for the states of its generators would start CUDA on it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: pytest.fail("CUDA was started"))
    model = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    save(tmp_path / "c.pt", model, optimizer)
    assert checkpoint.resume(tmp_path / "c.pt", model, optimizer, DATA) == (5, "")


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.pt"
    save(path, nn.Linear(3, 2))
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"cannot write .*c\.pt: no space left on device \([0-9,]+ bytes needed, "):
        save(path, nn.Linear(3, 2), step=6)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_foreign_and_broken_files(tmp_path: Path) -> None:
    whole = tmp_path / "whole.pt"
    save(whole, nn.Linear(300, 20))
    content = whole.read_bytes()
    cases = {
        "cut.pt": content[: len(content) // 2],
        "empty.pt": b"",
        "text.pt": b"hello",
        "html.pt": b"<!DOCTYPE html><html></html>",
        "zip.pt": b"PK\x03\x04" + bytes(100),
    }
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=f"{name} is not an lrx checkpoint") as caught:
            checkpoint.load(tmp_path / name)
        assert "\n" not in str(caught.value)
    torch.save({"weight": torch.zeros(1)}, tmp_path / "foreign.pt")
    with pytest.raises(ValueError, match="lrx import"):
        checkpoint.load(tmp_path / "foreign.pt")
    with pytest.raises(FileNotFoundError):
        checkpoint.load(tmp_path / "nowhere.pt")


def test_pickle_is_not_executed(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    torch.save({"format": checkpoint.FORMAT, "model": Payload(trap)}, tmp_path / "hostile.pt")
    with pytest.raises(ValueError, match="not an lrx checkpoint"):
        checkpoint.load(tmp_path / "hostile.pt")
    assert not trap.exists()
    torch.load(tmp_path / "hostile.pt", weights_only=False)
    assert trap.exists()  # the trap works; it was not sprung


def test_incomplete_checkpoint(tmp_path: Path) -> None:
    torch.save({"format": checkpoint.FORMAT, "model": {}}, tmp_path / "c.pt")
    with pytest.raises(ValueError, match="not an lrx checkpoint"):
        checkpoint.load(tmp_path / "c.pt")


def test_weights_must_fit_and_be_finite(tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    with pytest.raises(ValueError, match=r"missing: bias; unexpected: extra; wrong shape: weight \(1,\)"):
        load_weights(model, {"weight": torch.zeros(1), "extra": torch.zeros(1)}, tmp_path)
    with pytest.raises(ValueError, match="not finite numbers: weight"):
        load_weights(model, {"weight": torch.full((2, 3), torch.nan), "bias": torch.zeros(2)}, tmp_path)


def test_imported_weights_cannot_be_resumed(tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    save(tmp_path / "c.pt", model)
    with pytest.raises(ValueError, match="imported weights"):
        checkpoint.resume(tmp_path / "c.pt", model, torch.optim.Adam(model.parameters()), DATA)


def test_find(tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT
    path.touch()
    assert checkpoint.find(str(path)) == checkpoint.find(str(tmp_path)) == path
    with pytest.raises(FileNotFoundError, match="no such file"):
        checkpoint.find(str(tmp_path / "x"))

"""Files are written beside their place, flushed and renamed."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from lrx.storage import results
from lrx.storage.atomic import atomic_path
from tests.storage.test_results import PROVENANCE, sample


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "result.h5"


def test_failed_write_leaves_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results.write(path, {"one": sample(1)}, PROVENANCE)
    old = path.read_bytes()
    real = results.create
    calls: list[str] = []

    def dying(group: h5py.Group, name: str, values: np.ndarray) -> h5py.Dataset:
        calls.append(name)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(group, name, values)

    monkeypatch.setattr(results, "create", dying)
    with pytest.raises(KeyboardInterrupt):
        results.write(path, {"one": sample(2)}, PROVENANCE)
    assert path.read_bytes() == old
    assert list(path.parent.iterdir()) == [path]


def test_atomic_write_flushes_before_rename(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text("old")
    order: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append("flush"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda source, target: (order.append("rename"), replace(source, target)))
    with atomic_path(path) as beside:
        assert beside.parent == path.parent
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert order == ["flush", "rename", "flush"]  # the file, its name, the folder


def test_atomic_write_removes_temporary_file(path: Path) -> None:
    def fail() -> None:
        with atomic_path(path) as beside:
            beside.write_text("half")
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail()
    assert list(path.parent.iterdir()) == []

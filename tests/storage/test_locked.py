"""HDF5 files that another process has open for writing: they are called locked, not damaged."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from lrx.data.store import hdf5
from lrx.storage import result_scan, results
from lrx.storage.hdf5_members import why_unreadable

WRITER = "import h5py, sys; file = h5py.File(sys.argv[1], 'r+'); print('open', flush=True); sys.stdin.read()"


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "mine.h5"
    with h5py.File(path, "w") as file:
        file["images"] = np.zeros((4, 8, 8), np.uint8)
        file.attrs["format"] = results.FORMAT
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], **pipes) as writer:
        assert writer.stdout.readline() == b"open\n"
        yield path
        writer.stdin.close()


def test_locked_file_is_called_locked(locked: Path) -> None:
    for read in (results.read, result_scan.scan, lambda path: hdf5.read_header(path, "images")):
        with pytest.raises(ValueError, match=r"mine.h5 is locked: another process has it open for writing; close it"):
            read(locked)


def test_refusals_of_the_system_are_named() -> None:
    assert why_unreadable(Path("a.h5"), "file", PermissionError(13, "x")) == "a.h5 cannot be opened: permission denied"
    assert why_unreadable(Path("a.h5"), "file", OSError("cut")) == "a.h5 is not a file: cut"

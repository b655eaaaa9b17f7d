"""Disks that are full or read-only: the old files stay whole, one line says so, and nothing half-written is left."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from lrx.core.types import Array, AssayResult
from lrx.runs import status
from lrx.storage import atomic, results
from lrx.training import checkpoint, metrics_log
from lrx.training.metrics_log import MetricsLog
from tests.conftest import TINY, Lrx
from tests.training.test_checkpoint import DATA

ROOM = 192 << 10  # bytes


@contextmanager
def small_disk(folder: Path, *, room: int = ROOM) -> Iterator[None]:
    """A folder with room for so many bytes: a disk of its own where one may be mounted, else a limit to every file."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}", "none", folder], capture_output=True)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    if mounted.returncode:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room // 2, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        if not mounted.returncode:
            subprocess.run(["umount", folder], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder that cannot be written: its disk is read-only where one may be mounted, else permissions forbid it.

    Permissions do not bind root, who finds a part of /sys there.
    """
    mounted = subprocess.run(["mount", "--bind", folder, folder], capture_output=True).returncode == 0
    if mounted:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    elif os.geteuid():
        folder.chmod(0o555)
    else:
        folder.rename(folder.with_name("aside"))
        folder.symlink_to("/sys/kernel")
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=True)
        elif os.geteuid():
            folder.chmod(0o755)


def save(path: Path, side: int) -> None:
    model = nn.Linear(side, side)
    checkpoint.save(path, model=model, optimizer=None, step=1, steps=1, config="a: 1", data=DATA)


def write(path: Path, count: int) -> None:
    numbers = np.random.default_rng(0).random(count)
    results.write(path, {"one": AssayResult({"x": Array(numbers, ("place",))}, {})}, {"seed": 0})


FULL = r"cannot write .*{name}: (no space left on device|file too large) \([0-9,]+ bytes needed, [0-9,]+ bytes free\)"


@pytest.mark.parametrize(("put", "name"), [(save, "checkpoint.pt"), (write, "result.h5")])
def test_old_file_stays_on_full_disk(put: object, name: str, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk"):
        path = tmp_path / "disk" / name
        assert callable(put)
        put(path, 16)
        before = path.read_bytes()
        with pytest.raises(OSError, match=FULL.format(name=name)) as caught:
            put(path, 100_000 if put is write else 300)
        assert "\n" not in str(caught.value)
        assert path.read_bytes() == before
        assert [left.name for left in path.parent.iterdir()] == [name]


def test_block_that_writes_names_path(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk"):
        path = tmp_path / "disk/x"
        with (
            pytest.raises(OSError, match=r"cannot write .*x: (no space left|file too large)"),
            atomic.atomic_path(path) as part,
        ):
            part.write_bytes(bytes(2 * ROOM))
        assert list(path.parent.iterdir()) == []


def test_table_row_on_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk"):
        rows = MetricsLog(tmp_path / "disk")
        rows.start(0)
        step = 0

        def fill() -> None:
            nonlocal step
            while True:
                step += 1
                rows.log(step, {"loss": 0.125, "kl": 0.25})

        with pytest.raises(OSError, match=r"cannot write .*metrics\.(jsonl|csv): (no space left|file too large)"):
            fill()
        kept = [row["step"] for row in metrics_log.read(tmp_path / "disk")]
        assert kept[: step - 1] == list(range(1, step))


def test_training_on_full_disk_keeps_checkpoint(lrx: Lrx, tmp_path: Path, place: Path) -> None:
    size = (place / "outputs/train/run/checkpoint.pt").stat().st_size
    assert size < ROOM - (16 << 10) < 2 * size  # so that there is room for one, and not for another beside it
    words = ["train", *TINY, "hydra.run.dir=disk", "trainer.checkpoint_every=5"]
    with small_disk(place / "disk"):
        done = lrx(*words)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert done.stderr.startswith("lrx: cannot write disk/checkpoint.pt: ")
        assert " bytes free)" in done.stderr
        kept = place / "disk/checkpoint.pt"
        assert not kept.exists() or checkpoint.load(kept).step == 5  # the first one had room, unless files are limited
        assert not list((place / "disk").glob(".*.part"))
        assert status.read(place / "disk").state == "failed"
        assert "bytes free" in status.read(place / "disk").error


def test_assay_on_full_disk_leaves_no_result(lrx: Lrx, place: Path) -> None:
    assert (place / "outputs/assay/run/result.h5").stat().st_size > 12 << 10
    with small_disk(place / "disk", room=20 << 10):
        words = ["assay", "ckpt=outputs/train/run", "assay.num_samples=16", "hydra.run.dir=disk/assay"]
        done = lrx(*words)
        assert (done.returncode, done.stderr.count("lrx: ")) == (2, 1), done.stderr
        assert "cannot write disk/assay/" in done.stderr
        assert "bytes free)" in done.stderr
        assert not (place / "disk/assay/result.h5").exists()
        assert not list((place / "disk/assay").glob(".*.part"))


@pytest.mark.parametrize("name", ["run", "new"])
def test_read_only_results_are_one_line(name: str, lrx: Lrx, place: Path) -> None:
    (place / "outputs/train/run/status.json").unlink()
    with read_only(place / "outputs"):
        done = lrx("train", *TINY, f"name={name}")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert any(os.strerror(number) in done.stderr for number in (errno.EROFS, errno.EACCES, errno.EPERM))
    assert "outputs/train" in done.stderr


def test_read_only_data_is_one_line(lrx: Lrx, place: Path) -> None:
    np.savez(place / "mine.npz", images=np.zeros((8, 4, 4), np.uint8))
    with read_only(place / "data"):
        done = lrx("train", "dataset=arrays", "dataset.path=mine.npz", "network=mlp", "trainer.steps=1", "name=new")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "cannot write data/converted/mine-" in done.stderr


def test_sweep_on_a_full_disk_tells_each_job(lrx: Lrx, place: Path) -> None:
    with small_disk(place / "disk"):
        (place / "disk/1").mkdir()
        (place / "disk/2").mkdir()
        fill(place / "disk/fill")
        done = lrx("train", "-m", *TINY, "seed=1,2", "hydra.sweep.dir=.", "hydra.sweep.subdir='disk/${seed}'")
    lines = done.stderr.splitlines()
    assert done.returncode == 2
    assert [line.partition(" (")[0] for line in lines] == [
        "lrx: job 0",
        "lrx: job 1",
        "lrx: 2 jobs of this sweep failed, see above",
    ]
    assert all(f"cannot write disk/{number}/" in line for number, line in enumerate(lines[:2], 1))


def test_sweep_without_room_names_file(lrx: Lrx, place: Path) -> None:
    with small_disk(place / "disk"):
        fill(place / "disk/fill")
        done = lrx("assay", "-m", "ckpt=outputs/train/run", "seed=1,2", "hydra.sweep.dir=disk")
    assert done.returncode == 2
    assert done.stderr.startswith("lrx: cannot write disk/multirun.yaml: ")
    assert done.stderr.count("\n") == 1


def fill(path: Path) -> None:
    """Write zeros until the disk, or the largest file that the process may write, is full."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 12))

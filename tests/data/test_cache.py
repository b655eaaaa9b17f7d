"""Caches of data sets: converted once, whole or not at all, by one process at a time."""

import errno
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
import warnings
from collections import namedtuple
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lrx.data.store.cache import open_or_convert
from tests.data.test_grid import packed_blocks, packed_recipe


def refuse() -> list[np.ndarray]:
    raise AssertionError("the cache was converted again")


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(".") or path.suffix == ".part")


def test_manifest(tmp_path):
    told = []
    cache = open_or_convert(
        tmp_path / "toy", packed_recipe(), packed_blocks, progress=lambda done, total: told.append((done, total))
    )
    manifest = json.loads((tmp_path / "toy.json").read_text())
    assert told == [(5, 12), (12, 12)]
    assert manifest == {
        "format": 1,
        "name": "toy",
        "shape": [12, 16],
        "dtype": "uint8",
        "factor_names": ["shape", "scale"],
        "factor_sizes": [3, 4],
        "renderer": "test 1",
        "source": "rendered",
        "fingerprint": cache.fingerprint,
        "pixels": cache.pixels.name,
    }
    assert cache.pixels.read_bytes() == b"".join(block.tobytes() for block in packed_blocks())
    assert leftovers(tmp_path) == []


def test_whole_cache_is_not_converted(tmp_path):
    made = open_or_convert(tmp_path / "toy", packed_recipe(), packed_blocks)
    assert open_or_convert(tmp_path / "toy", packed_recipe(), refuse) == made


@pytest.mark.parametrize(
    "damage", ["truncated pixels", "no pixels", "broken manifest", "empty manifest", "no manifest"]
)
def test_a_damaged_cache_is_made_again(tmp_path, damage):
    made = open_or_convert(tmp_path / "toy", packed_recipe(), packed_blocks)
    whole = made.pixels.read_bytes()
    if damage == "truncated pixels":
        os.truncate(made.pixels, 100)
    elif damage == "no pixels":
        made.pixels.unlink()
    elif damage == "no manifest":
        (tmp_path / "toy.json").unlink()
    else:
        (tmp_path / "toy.json").write_text('{"format": 1, "na' if damage == "broken manifest" else "[]")
    assert open_or_convert(tmp_path / "toy", packed_recipe(), packed_blocks) == made
    assert made.pixels.read_bytes() == whole


def test_cache_of_another_recipe_is_replaced(tmp_path):
    made = open_or_convert(tmp_path / "toy", packed_recipe(), packed_blocks)
    other = open_or_convert(tmp_path / "toy", packed_recipe("test 2"), lambda: [255 - b for b in packed_blocks()])
    assert other.fingerprint != made.fingerprint
    assert sorted(path.name for path in tmp_path.iterdir()) == [other.pixels.name, "toy.json"]


def test_too_few_images(tmp_path):
    with pytest.raises(ValueError, match="came as 5 images, not 12"):
        open_or_convert(tmp_path / "toy", packed_recipe(), lambda: packed_blocks()[:1])
    assert list(tmp_path.iterdir()) == []


def test_full_disk_before_writing(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(1000, 900, 100))
    said = r"cannot write .*toy: no space left.*\(192 bytes needed, 100 bytes free\)"
    with pytest.raises(OSError, match=said) as caught:
        open_or_convert(tmp_path / "toy", packed_recipe(), packed_blocks)
    assert caught.value.errno == errno.ENOSPC
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_full_disk_leaves_nothing(tmp_path):
    def blocks():
        yield packed_blocks()[0]
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match=r"no space left on device \(192 bytes needed"):
        open_or_convert(tmp_path / "toy", packed_recipe(), blocks)
    assert list(tmp_path.iterdir()) == []


def test_read_only_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot write .*file/toy.*bytes needed") as caught:
        open_or_convert(tmp_path / "file" / "toy", packed_recipe(), packed_blocks)
    assert "\n" not in str(caught.value)


CONVERTER = """
import sys, time
from pathlib import Path
import numpy as np
from lrx.data.store.cache import Origin, Recipe, open_or_convert
from lrx.core.factors import FactorSpace

folder = Path(sys.argv[1])
factors = FactorSpace(names=("shape", "scale"), sizes=(3, 4))
rows = np.load(folder / "rows.npy")

def blocks():
    yield rows[:5]
    (folder / "begun").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    yield rows[5:]

recipe = Recipe("toy", (12, 16), "uint8", factors, Origin(renderer="test 1"))
cache = open_or_convert(folder / "cache" / "toy", recipe, blocks)
assert cache.pixels.read_bytes() == rows.tobytes()
"""


@pytest.fixture
def half_way(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has written half of a cache and waits for the file `go`."""
    np.save(tmp_path / "rows.npy", np.concatenate(packed_blocks()))
    words = [sys.executable, "-c", CONVERTER, str(tmp_path)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        yield process
        process.kill()


@pytest.mark.parametrize("renderer", ["test 1", "test 2"])
def test_two_processes_convert(tmp_path, half_way, renderer, monkeypatch):
    same, converted = renderer == "test 1", threading.Event()
    said: queue.Queue[str] = queue.Queue()
    monkeypatch.setattr(warnings, "warn", lambda text, **_: said.put(text))
    expected = np.concatenate(packed_blocks()) if same else 255 - np.concatenate(packed_blocks())

    def blocks() -> Iterator[np.ndarray]:
        converted.set()
        yield expected

    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(open_or_convert, tmp_path / "cache" / "toy", packed_recipe(renderer=renderer), blocks)
        try:
            assert "another process is making" in said.get(timeout=60)
            assert not converted.is_set()
        finally:
            (tmp_path / "go").touch()
        assert half_way.wait(timeout=60) == 0, half_way.stderr.read()
        second.result(timeout=60)
    assert converted.is_set() != same  # of the same recipe, what the first has made is enough
    cache = open_or_convert(tmp_path / "cache" / "toy", packed_recipe(renderer=renderer), refuse)
    assert cache.pixels.read_bytes() == expected.tobytes()
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == [cache.pixels.name, "toy.json"]


def test_a_killed_conversion_holds_nobody_up(tmp_path, half_way):
    half_way.kill()
    half_way.wait(timeout=60)
    cache = open_or_convert(tmp_path / "cache" / "toy", packed_recipe(), packed_blocks)
    assert not list((tmp_path / "cache").glob("*.lock"))
    assert cache.pixels.read_bytes() == np.concatenate(packed_blocks()).tobytes()


@pytest.mark.parametrize(("name", "other"), [("t*", "toy"), ("to?", "toy"), ("[ab]", "a"), ("toy", "toy.more")])
def test_a_name_is_no_pattern(tmp_path, name, other):
    kept = open_or_convert(tmp_path / other, packed_recipe(), packed_blocks)
    own = open_or_convert(tmp_path / name, packed_recipe(), packed_blocks)
    left = [tmp_path / f".{stem}.1.0011aabb.part" for stem in (name, other)]
    for file in left:
        file.write_bytes(b"half")
        os.utime(file, (0, 0))
    inverted = [255 - block for block in packed_blocks()]
    again = open_or_convert(tmp_path / name, packed_recipe(renderer="test 2"), lambda: inverted)
    assert kept.pixels.exists()
    assert again.pixels != own.pixels
    assert not own.pixels.exists()
    assert not left[0].exists()
    assert left[1].exists()


def test_killed_conversion_is_cleaned(tmp_path):
    old, new = (tmp_path / f".toy.{process}.0011aabb.part" for process in (1, 2))
    for left in (old, new):
        left.write_bytes(b"half")
    os.utime(old, (0, 0))
    open_or_convert(tmp_path / "toy", packed_recipe(), packed_blocks)
    assert leftovers(tmp_path) == [new.name]

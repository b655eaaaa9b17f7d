"""`lrx prepare` as typed: files that are there, missing, fetched, wrong; data sets that have none."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lrx.data import dsprites as module
from lrx.data.dsprites import HDF5, NPZ, PAGE
from lrx.data.official.checksums import Release
from tests.conftest import Lrx
from tests.data.test_dsprites import FACTORS, write_hdf5, write_npz
from tests.support.web_server import Server, cut, error, serving

COMMAND = ("prepare", "dataset=dsprites", "dataset.root=here")


@pytest.fixture
def content(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A small official file of dSprites, whose checksum is the published one as long as the test runs."""
    path = tmp_path_factory.mktemp("official") / NPZ
    made = write_npz(path).read_bytes()
    monkeypatch.setattr(module, "FACTORS", FACTORS)
    monkeypatch.setitem(module.RELEASES, ".npz", Release("md5", hashlib.md5(made).hexdigest()))
    return made


def official(root: Path, content: bytes) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / NPZ).write_bytes(content)
    return root / NPZ


def at(server: Server) -> tuple[str, str]:
    """The words that fetch from a test's own server."""
    return "download=true", f"official.addresses={{{NPZ}:{server.address}}}"


def assert_nothing_else(folder: Path, *names: str) -> None:
    assert {path.name for path in folder.iterdir()} == set(names)


# --------------------------------------------------------------------------------------------- files that are there


@pytest.mark.parametrize("folder", ["here", "here/dsprites"])
def test_official_file_is_converted(folder: str, lrx: Lrx, tmp_path: Path, content: bytes) -> None:
    file = official(tmp_path / folder, content)
    for _ in range(2):
        done = lrx(*COMMAND)
        assert done.returncode == 0, done.stderr
        assert f"{folder}/{NPZ}: {len(content):,} bytes, verifying\n" in done.stderr
        assert f"{folder}/{NPZ}: md5 as published\n" in done.stderr
        assert f"ready: dsprites, {FACTORS.num_points} images, official file {NPZ}\n" in done.stderr
        assert done.stdout == ""
    assert file.with_name(f"{NPZ}.json").exists()
    assert_nothing_else(tmp_path, "here")


@pytest.mark.filterwarnings("ignore:.*is not the file that was published")
def test_unpublished_file_is_used_with_warning(
    lrx: Lrx, tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    official(tmp_path / "here", content)
    monkeypatch.setitem(module.RELEASES, ".npz", Release("md5", "0" * 32))
    done = lrx(*COMMAND)
    assert done.returncode == 0, done.stderr
    found = hashlib.md5(content).hexdigest()
    assert f"here/{NPZ}: its md5 is {found}, the published one is {'0' * 32}" in done.stderr
    assert "checksum not the published one" in done.stderr


def test_a_broken_file_is_refused(lrx: Lrx, tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = content[: len(content) // 2]
    monkeypatch.setitem(module.RELEASES, ".npz", Release("md5", hashlib.md5(broken).hexdigest()))
    official(tmp_path / "here", broken)
    done = lrx(*COMMAND)
    assert done.returncode == 2
    assert "not a whole npz file" in done.stderr
    assert "ready" not in done.stderr


@pytest.mark.filterwarnings("ignore:.*is not the file that was published")
def test_another_edition_is_enough(lrx: Lrx, tmp_path: Path, content: bytes) -> None:
    write_hdf5(tmp_path / "here" / HDF5)
    done = lrx(*COMMAND)
    assert done.returncode == 0, done.stderr
    assert f"official file {HDF5}" in done.stderr
    assert "missing" not in done.stderr


# ------------------------------------------------------------------------------------------- files that are missing


def test_missing_files_message(lrx: Lrx, tmp_path: Path) -> None:
    done = lrx("prepare", "dataset=3dshapes", "dataset.root=some where")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "official files of 3dshapes that are missing:",
        "  3dshapes.h5",
        "    267,573,662 bytes, sha256 0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785",
        "    published at https://github.com/google-deepmind/3d-shapes",
        "    address https://storage.googleapis.com/3d-shapes/3dshapes.h5",
        "looked for in some where and in some where/3dshapes",
        "to fetch what has an address: lrx prepare dataset=3dshapes 'dataset.root=some where' download=true",
        "to do without, for lrx renders these images: dataset.source=rendered",
        "lrx: 3dshapes is not ready: official files are missing, see above",
    ]
    assert done.stdout == ""
    assert_nothing_else(tmp_path)


@pytest.mark.parametrize(
    ("words", "told", "rendered"),
    [
        ("dataset=dsprites", [NPZ, "md5 7da33b31b13a06f4b04a70402ce90c2e"], True),
        ("dataset=mpi3d dataset.variant=toy", ["mpi3d_toy.npz", "md5 55889cb7c7dfc655d6e0277beee88868"], True),
        ("dataset=mpi3d dataset.variant=realistic", ["mpi3d_realistic.npz", "md5 59a6225b88b63536"], False),
        ("dataset=mpi3d dataset.variant=real", ["mpi3d_real.npz", "md5 0f33f609918fb5c97996692f91129802"], False),
        ("dataset=mpi3d dataset.variant=complex", ["real3d_complicated_shapes_ordered.npz", "no checksum"], False),
        ("dataset=celeba", ["img_align_celeba.zip", "1,443,490,838 bytes", "00d2c5bc6d35e252742224ab0c1e8fcb"], False),
    ],
)
def test_renderer_is_offered(words: str, told: list[str], rendered: bool, lrx: Lrx, tmp_path: Path) -> None:
    done = lrx("prepare", *words.split(), "dataset.root=here")
    assert done.returncode == 2
    for word in (*told, "published at http"):
        assert word in done.stderr
    assert ("dataset.source=rendered" in done.stderr) == rendered
    assert_nothing_else(tmp_path)


def test_command_in_message_works(lrx: Lrx, tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    said = lrx("prepare", "dataset=dsprites", "dataset.root=some where").stderr
    assert "lrx prepare dataset=dsprites 'dataset.root=some where' download=true\n" in said
    with serving(content) as server:
        done = lrx("prepare", "dataset=dsprites", "dataset.root=some where", *at(server))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "some where/dsprites" / NPZ).read_bytes() == content


def test_files_of_variant(lrx: Lrx, tmp_path: Path) -> None:
    done = lrx("prepare", "dataset=mpi3d", "dataset.root=here", "dataset.variant=realistic")
    assert done.returncode == 2
    assert "59a6225b88b635365f70c91b3e52f70f" in done.stderr
    assert "lrx prepare dataset=mpi3d dataset.variant=realistic dataset.root=here download=true" in done.stderr
    done = lrx("prepare", "dataset=mpi3d", "dataset.root=here", "dataset.variant=complex", "download=true")
    assert done.returncode == 2
    assert "real3d_complicated_shapes_ordered.npz\n    size not published, no checksum published" in done.stderr
    assert "https://github.com/rr-learning/disentanglement_dataset\n    no address to fetch it from" in done.stderr
    assert "to fetch" not in done.stderr.replace("to fetch it from", "")
    assert_nothing_else(tmp_path)


def test_no_address_names_page(lrx: Lrx, tmp_path: Path) -> None:
    done = lrx(*COMMAND, "download=true", "official.addresses=null")
    assert done.returncode == 2
    assert f"published at {PAGE}\n    no address to fetch it from, save it by hand" in done.stderr
    assert "download=true" not in done.stderr
    assert_nothing_else(tmp_path)


# ---------------------------------------------------------------------------------------------------- download=true


def test_missing_files_are_fetched(lrx: Lrx, tmp_path: Path, content: bytes) -> None:
    with serving(content) as server:
        done = lrx(*COMMAND, *at(server))
        assert done.returncode == 0, done.stderr
        assert f"{NPZ}: fetching {server.address}" in done.stderr
        assert f"here/dsprites/{NPZ}: {len(content):,} bytes, md5 as published" in done.stderr
        assert f"ready: dsprites, {FACTORS.num_points} images, official file {NPZ}\n" in done.stderr
        assert (tmp_path / "here/dsprites" / NPZ).read_bytes() == content
        assert not list((tmp_path / "here").rglob("*.part"))
        again = lrx(*COMMAND, *at(server))
        assert again.returncode == 0, again.stderr
        assert server.ranges == [None]


def test_resume_with_same_command(lrx: Lrx, tmp_path: Path, content: bytes) -> None:
    with serving(content) as server:
        server.script = [cut(700)]
        stopped = lrx(*COMMAND, *at(server), "retries=0")
        assert stopped.returncode == 2
        assert "the connection broke off; retries=0 did not help; the 700 bytes that came are kept" in stopped.stderr
        assert (tmp_path / f"here/dsprites/{NPZ}.part").stat().st_size == 700
        done = lrx(*COMMAND, *at(server))
        assert done.returncode == 0, done.stderr
        assert server.ranges == [None, "bytes=700-"]


def test_another_try_is_announced(lrx: Lrx, content: bytes) -> None:
    with serving(content) as server:
        server.script = [error(429, Retry_After=0)]
        done = lrx(*COMMAND, *at(server))
    assert done.returncode == 0, done.stderr
    assert f"{NPZ}: the server answered 429 Too Many Requests; trying again in 0 s, from byte 0 on\n" in done.stderr


def test_wrong_checksum_of_fetched_file(lrx: Lrx, tmp_path: Path, content: bytes) -> None:
    with serving(content[::-1]) as server:
        done = lrx(*COMMAND, *at(server))
    assert done.returncode == 2
    assert hashlib.md5(content[::-1]).hexdigest() in done.stderr.splitlines()[-1]
    assert_nothing_else(tmp_path / "here/dsprites", f"{NPZ}.part")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("download=yess",), "download must be true or false, not 'yess'"),
        (("download=true", "retries=many"), "retries must be a whole number"),
        (("download=true", "timeout=0"), "timeout must be a positive number"),
        (
            ("download=true", f"official.addresses={{{NPZ}:file:///etc/hostname}}"),
            "'file:///etc/hostname' is no address",
        ),
        (("dataset.source=cloud",), "source must be one of auto, file, rendered"),
        (("dataset=mpi3d", "dataset.variant=toyy"), "dataset.variant must be one of toy, "),
        (("dataset=smallnorb", "dataset.part=valid"), "dataset.part must be one of train, "),
        (("dataset=mnist",), "no dataset=mnist; the choices are"),
    ],
)
def test_mistakes_get_one_line(words: tuple[str, ...], expected: str, lrx: Lrx, tmp_path: Path) -> None:
    done = lrx(*COMMAND, *words)
    assert done.returncode == 2
    assert expected in done.stderr.splitlines()[-1]
    assert not list(tmp_path.rglob("*.*"))

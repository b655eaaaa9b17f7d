"""A web server on this machine, and `fetch` from it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lrx.data.official.checksums import OfficialFile, Release
from lrx.data.official.download import fetch
from tests.support.web_server import Server, serving

CONTENT = np.random.default_rng(0).bytes(300_000)
FILE = OfficialFile(
    name="data.bin",
    page="https://example.org/project",
    release=Release("md5", hashlib.md5(CONTENT).hexdigest()),
    num_bytes=len(CONTENT),
)
NOTHING_PUBLISHED = replace(FILE, release=None, num_bytes=None)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(CONTENT) as running:
        yield running


class Attempt:
    """`fetch` into a folder, without real pauses; `pauses` and `said` tell of the retries, `seen` of the progress."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.pauses: list[float] = []
        self.said: list[str] = []
        self.seen: list[tuple[int, int]] = []

    def __call__(self, file: OfficialFile = FILE, *, retries: int = 3, timeout: float = 10) -> Path:
        return fetch(
            replace(file, address=file.address or self.server.address),
            self.folder,
            retries=retries,
            timeout=timeout,
            progress=lambda done, total: self.seen.append((done, total)),
            on_retry=self.said.append,
            pause=self.pauses.append,
        )

    def refused(self, match: str, file: OfficialFile = FILE, kind: type[Exception] = OSError) -> None:
        """One line of error, and no file."""
        with pytest.raises(kind, match=match) as caught:
            self(file)
        assert "\n" not in str(caught.value)
        assert not (self.folder / FILE.name).exists()

    @property
    def part(self) -> Path:
        return self.folder / "data.bin.part"

    def leave(self, content: bytes) -> None:
        """What an earlier process left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.part.write_bytes(content)


@pytest.fixture
def attempt(server: Server, tmp_path: Path) -> Attempt:
    return Attempt(server, tmp_path / "new" / "folder")


def assert_whole(path: Path) -> None:
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in path.parent.iterdir()] == ["data.bin"]

"""What the shards of one assay leave for the one who joins them: `part.npz`, in a folder for each shard.

Shard 2 of 3 works in the folder `2of3` below that of the whole. Its file has the tensors of its pieces
(lrx.responses.work_units) by their keys, and says what they are a part of.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lrx.core.paths import PART
from lrx.responses.work_units import Key, Shard, StoredUnits, Values, WorkUnit
from lrx.storage.atomic import atomic_path

NAME = re.compile(r"([1-9][0-9]{0,5})of([1-9][0-9]{0,5})")
UNREADABLE = (zipfile.BadZipFile, OSError, EOFError, ValueError, KeyError, TypeError)


@dataclass(frozen=True)
class About:
    """What a part is a part of.

    whole: SHA-256 of the config of the whole and of its inputs. data: the data set's fingerprint. assay: its name.
    seconds: wall time that the part took.
    """

    whole: str
    data: str
    assay: str
    seconds: float


class Parts:
    """All parts of a whole, opened; the share of a process that joins them."""

    def __init__(self, folder: Path, abouts: list[About], opened: list[np.lib.npyio.NpzFile]) -> None:
        self._folder, self._abouts = folder, abouts
        self._where = {name: file for file in opened for name in file.files}
        self.count, self.seconds = len(abouts), sum(about.seconds for about in abouts)

    def values(
        self, pieces: Iterable[WorkUnit], *, total: int, progress: Callable[[int], None]
    ) -> Iterator[tuple[Key, Values]]:
        """See lrx.responses.work_units.Share. ValueError when no part has a piece, as when machines differ."""
        return StoredUnits(self._find).values(pieces, total=total, progress=progress)

    def check(self, fingerprint: str) -> None:
        """ValueError unless all were measured on the data set of this fingerprint."""
        for number, about in enumerate(self._abouts, 1):
            if about.data != fingerprint:
                raise ValueError(
                    f"{self._folder / f'{number}of{self.count}'} was measured on other data (fingerprint {about.data}, "
                    f"and here {fingerprint}); remove that folder and give every job the same data"
                )

    def _find(self, key: Key) -> Values:
        found: list[Tensor] = []
        while (name := _name(key, len(found))) in self._where:
            found.append(torch.from_numpy(self._where[name][name]))
        if not found:
            raise ValueError(
                f"the shards in {self._folder} do not fit together: none has the piece {key}; remove their folders "
                "and start again, on machines of one kind"
            )
        return tuple(found)


def parse(text: object) -> Shard | None:
    """`2of3` as a Shard; None for None. ValueError for anything else."""
    if text is None:
        return None
    found = NAME.fullmatch(str(text))
    if not found or int(found[1]) > int(found[2]):
        raise ValueError(f"shard must be null, or one such as 3of16, not {text!r}; assay.shards=16 makes all of them")
    return Shard(int(found[1]), int(found[2]))


def write(folder: Path, shard: Shard, about: About) -> None:
    """Leave what a shard found in its folder."""
    tensors = {"about": np.array(json.dumps(asdict(about)))}
    tensors |= {
        _name(key, place): tensor.numpy()
        for key, values in shard.values_by_key.items()
        for place, tensor in enumerate(values)
    }
    with atomic_path(folder / PART) as beside, beside.open("wb") as file:
        np.savez(file, **tensors)  # type: ignore[arg-type]  # of its other keywords, none is a name of ours


def read_about(path: Path) -> About:
    """What a part says of itself. ValueError when it cannot be read."""
    with _opened(path) as file:
        return _about(path, file)


def complete(folder: Path) -> list[int]:
    """In how many shards the work in a folder was split, where all of them have left their parts."""
    names = [NAME.fullmatch(path.parent.name) for path in folder.glob(f"*/{PART}")]
    counts = [int(found[2]) for found in names if found]
    return sorted(count for count in set(counts) if counts.count(count) == count)


@contextmanager
def opened(folder: Path, count: int, *, whole: str) -> Iterator[Parts | None]:
    """The parts of a whole; None while some are not there. ValueError for one that cannot be read."""
    paths = [folder / f"{number}of{count}" / PART for number in range(1, count + 1)]
    if not all(path.is_file() for path in paths):
        yield None
        return
    with ExitStack() as stack:
        files = [stack.enter_context(_opened(path)) for path in paths]
        abouts = [_about(path, file) for path, file in zip(paths, files, strict=True)]
        yield Parts(folder, abouts, files) if all(about.whole == whole for about in abouts) else None


@contextmanager
def _opened(path: Path) -> Iterator[np.lib.npyio.NpzFile]:
    with ExitStack() as stack:
        try:
            file = np.load(stack.enter_context(path.open("rb")))
        except UNREADABLE as error:
            raise _unreadable(path) from error
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise _unreadable(path)
        yield stack.enter_context(file)


def _about(path: Path, file: np.lib.npyio.NpzFile) -> About:
    try:
        return About(**json.loads(str(file["about"])))
    except UNREADABLE as error:
        raise _unreadable(path) from error


def _unreadable(path: Path) -> ValueError:
    return ValueError(f"{path} is no part of an assay that lrx can read; remove it, and the same command makes it anew")


def _name(key: Key, place: int) -> str:
    return f"{'-'.join(map(str, key))}.{place}"

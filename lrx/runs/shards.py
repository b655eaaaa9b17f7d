"""Files of shards: each shard of an assay writes a `part.npz`, and the last one joins them.

Shard 2 of 3 works in the folder `2of3` below that of the assay. Its file has the tensors of its work units
(lrx.responses.work_units) by their keys, and identifies the assay.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
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
# what numpy and zipfile raise for damaged files; RuntimeError for encrypted members and unknown compressions
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError),
    *(AttributeError, SyntaxError, MemoryError),
)


@dataclass(frozen=True)
class About:
    """Identity of the assay that a part belongs to.

    whole: run_folder.fingerprint of its config and inputs. data: fingerprint of the data set. assay: its name.
    seconds: wall time of the part. checkpoint: its SHA-256, empty in parts of version 0.1.0. observations: fingerprint
    of the data without classes; None in version 0.1.0, where that was `data`.
    """

    whole: str
    data: str
    assay: str
    seconds: float
    checkpoint: str = ""
    observations: str | None = None


class MixedPartsError(ValueError):
    """Error of parts that are all there and do not belong to one assay of one checkpoint."""


class Parts:
    """All parts of an assay, opened: the share (lrx.responses.work_units) of the process that joins them."""

    def __init__(self, folder: Path, abouts: list[About], opened: list[np.lib.npyio.NpzFile]) -> None:
        self._folder, self._abouts = folder, abouts
        self._files = {name: (number, file) for number, file in enumerate(opened, 1) for name in file.files}
        self.count, self.seconds = len(abouts), sum(about.seconds for about in abouts)

    def values(
        self, pieces: Iterable[WorkUnit], *, total: int, progress: Callable[[int], None]
    ) -> Iterator[tuple[Key, Values]]:
        """See lrx.responses.work_units.Share. ValueError for a unit that no part has, as when machines differ."""
        return StoredUnits(self._find).values(pieces, total=total, progress=progress)

    def check(self, fingerprint: str, observations: str) -> None:
        """Raise ValueError unless all were measured on the data set of these fingerprints, with classes and without."""
        for number, about in enumerate(self._abouts, 1):
            if about.data != fingerprint and (about.observations, about.data) != (None, observations):
                raise ValueError(
                    f"{self._folder / f'{number}of{self.count}'} was measured on other data (fingerprint {about.data}, "
                    f"and here {fingerprint}); remove that folder and give every job the same data"
                )

    def _find(self, key: Key) -> Values:
        values: list[Tensor] = []
        while (name := _name(key, len(values))) in self._files:
            number, file = self._files[name]
            try:
                values.append(torch.from_numpy(file[name]))
            except UNREADABLE as error:
                raise _unreadable(self._folder / f"{number}of{self.count}" / PART) from error
        if not values:
            raise ValueError(
                f"the shards in {self._folder} do not fit together: none has the work unit {key}; remove their folders "
                "and start again, on machines of one kind"
            )
        return tuple(values)


def parse(text: object) -> Shard | None:
    """Parse `2of3`; None for None. ValueError for anything else."""
    if text is None:
        return None
    match = NAME.fullmatch(str(text))
    if not match or int(match[1]) > int(match[2]):
        raise ValueError(f"shard must be null, or one such as 3of16, not {text!r}; assay.shards=16 makes all of them")
    return Shard(int(match[1]), int(match[2]))


def write(folder: Path, shard: Shard, about: About) -> None:
    """Write the part of a shard into its folder."""
    tensors = {"about": np.array(json.dumps(asdict(about)))}
    tensors |= {
        _name(key, place): tensor.numpy()
        for key, values in shard.values_by_key.items()
        for place, tensor in enumerate(values)
    }
    with atomic_path(folder / PART) as beside, beside.open("wb") as file:
        np.savez(file, **tensors)  # type: ignore[arg-type]  # of its other keywords, none is a name of ours


def read_about(path: Path) -> About:
    """Read the identity of a part. ValueError when it cannot be read."""
    with _opened(path) as file:
        return _about(path, file)


def complete(folder: Path) -> list[int]:
    """Return the numbers of shards of which all parts are in a folder."""
    matches = [NAME.fullmatch(path.parent.name) for path in folder.glob(f"*/{PART}")]
    counts = [int(match[2]) for match in matches if match]
    return sorted(count for count in set(counts) if counts.count(count) == count)


@contextmanager
def opened(folder: Path, count: int, *, whole: Collection[str]) -> Iterator[Parts | None]:
    """Open the parts of an assay; None while some are missing.

    whole: fingerprints, of which all have one. MixedPartsError names those that have another; ValueError for one that
    cannot be read.
    """
    paths = [folder / f"{number}of{count}" / PART for number in range(1, count + 1)]
    if not all(path.is_file() for path in paths):
        yield None
        return
    with ExitStack() as stack:
        files = [stack.enter_context(_opened(path)) for path in paths]
        abouts = [_about(path, file) for path, file in zip(paths, files, strict=True)]
        outdated = [number for number, about in enumerate(abouts, 1) if about.whole not in whole]
        if outdated:
            raise MixedPartsError(_mixed(folder, abouts, outdated))
        yield Parts(folder, abouts, files)


def _mixed(folder: Path, abouts: list[About], outdated: list[int]) -> str:
    count = len(abouts)
    of_each = ", ".join(
        f"{number}of{count} of {about.checkpoint[:12] or 'an unknown one'}" for number, about in enumerate(abouts, 1)
    )
    names = ", ".join(f"shard={number}of{count}" for number in outdated)
    what = "checkpoints" if len({about.checkpoint for about in abouts}) > 1 else "settings or versions"
    return (
        f"{folder}: its shards are of different {what} (SHA-256 of the checkpoint: {of_each}), so they are not joined; "
        f"repeat {names} with the command of the others"
    )


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
    return ValueError(f"{path} is not a readable part of an assay; remove it, and the same command makes it again")


def _name(key: Key, place: int) -> str:
    return f"{'-'.join(map(str, key))}.{place}"

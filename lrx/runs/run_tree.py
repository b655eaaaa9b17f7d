"""Run folders below a folder, whatever else lies there: what each is, how it went, and which assays belong to it.

A run is a folder with a status.json, a config.yaml or a result.h5. An assay in a folder inside that of a training run
belongs to it, which is where `then=` puts them. Nothing is opened that a hostile tree could use: hidden folders and
links to folders are passed over, and links to files that leave the tree, files of another kind (a pipe blocks its
reader) and texts of no sensible size are refused by name.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lrx.core.text import printable
from lrx.runs import run_folder, status
from lrx.storage import results

MARKS = {status.FILENAME, run_folder.FILENAME, results.FILENAME}
UNKNOWN = "unknown"  # the state of a run whose folder does not say it
ORDER = ("running", "failed", "interrupted", UNKNOWN, "queued", "done")  # what a person wants to see first
SHARD = re.compile(r"\d+of\d+")  # the folder of a part of an assay
LARGEST_TEXT = 2**20  # bytes of a status.json or config.yaml
LONGEST = 1000  # letters of one value or error in a table
DEEPEST = 100  # folders within folders


@dataclass
class Run:
    """A run folder. name: from the top of the tree. error: why its files cannot be read. assays: those inside it."""

    name: str
    folder: Path
    files: frozenset[str]
    status: status.Status
    error: str = ""
    assays: list[Run] = field(default_factory=list)

    @property
    def is_assay(self) -> bool:
        """Whether it measures a model, rather than making one."""
        return (self.status.command or ("assay" if results.FILENAME in self.files else "")) == "assay"

    @property
    def slowest(self) -> Run:
        """Itself, or the first of its assays that is not done when it is done itself."""
        return next((part for part in (self, *self.assays) if part.status.state != "done"), self)

    @property
    def state(self) -> str:
        """One of status.STATES, or UNKNOWN: done when its assays are done, too."""
        return self.slowest.status.state

    @property
    def why(self) -> str:
        """Why it is in its state, in one line: the error of one that failed, how far one that was interrupted is."""
        part = self.slowest
        told = part.error or part.status.error
        if not told and part.state == "interrupted":
            told = f"at step {part.status.step} of {part.status.steps}" if part.status.steps else "before it was done"
        return one_line(told if part is self or not told else f"{part.folder.name}: {told}")


def find_runs(top: Path) -> list[Run]:
    """Every run at or below a folder, by name. ValueError when there is no such folder, or no run in it."""
    if not top.is_dir():
        raise ValueError(f"{top} is no folder; give one that holds runs, such as outputs/train/my-sweep")
    found: dict[Path, Run] = {}
    top_runs: list[Run] = []
    for run in _walk(top):
        found[run.folder] = run
        owner = next((found[folder] for folder in run.folder.parents if folder in found), None)
        if run.is_assay and owner is not None and not owner.is_assay:
            owner.assays.append(run)
        else:
            top_runs.append(run)
    if not top_runs:
        raise ValueError(f"{top} holds no runs: no folder in it has a {', '.join(sorted(MARKS))}")
    return top_runs


def one_line(text: str) -> str:
    """A text without line breaks, and without what a terminal would obey; of one that is too long, its beginning."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}... ({len(text):,} letters)"
    return printable(text)


def summary(states: Iterable[str]) -> str:
    """How many runs are in which state, as in `1 running, 2 failed, 7 done`."""
    counts = Counter(states)
    return ", ".join(f"{counts[state]:,} {state}" for state in ORDER if counts[state])


def check_file(path: Path, top: Path, *, largest: int | None = None) -> None:
    """ValueError for what is no file to be opened: a link out of the tree, no plain file, or one of too many bytes."""
    if path.is_symlink() and not path.resolve().is_relative_to(top.resolve()):
        raise ValueError(f"{path.name} is a link that leads out of {top}; it is not followed")
    try:
        found = path.stat()
    except OSError as error:
        raise ValueError(f"{path.name}: {(error.strerror or str(error)).lower()}") from error
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path.name} is no plain file")
    if largest is not None and found.st_size > largest:
        raise ValueError(f"{path.name} has {found.st_size:,} bytes; a run's has at most {largest:,}")


def _walk(top: Path) -> list[Run]:
    """Runs, each before those inside it; a folder that cannot be listed is a run with an error."""
    runs_found: list[Run] = []

    def unreadable(error: OSError) -> None:
        folder = Path(error.filename)
        state = status.Status(UNKNOWN)
        runs_found.append(Run(_name(folder, top), folder, frozenset(), state, (error.strerror or str(error)).lower()))

    for where, folders, files in os.walk(top, onerror=unreadable):
        marks = MARKS & {*files, *folders}
        deep = len(Path(where).relative_to(top).parts) >= DEEPEST
        folders[:] = [] if deep else sorted(name for name in folders if not name.startswith("."))
        if results.FILENAME in files:  # the parts that it was joined from are no runs of their own
            folders[:] = [name for name in folders if not SHARD.fullmatch(name)]
        if marks:
            folder = Path(where)
            state, error = _status(folder, top, marks)
            runs_found.append(Run(_name(folder, top), folder, frozenset({*marks, *files}), state, error))
    return runs_found


def _status(folder: Path, top: Path, marks: set[str]) -> tuple[status.Status, str]:
    if status.FILENAME not in marks:
        return status.Status(UNKNOWN), f"there is no {status.FILENAME}"
    try:
        check_file(folder / status.FILENAME, top, largest=LARGEST_TEXT)
    except ValueError as error:
        return status.Status(UNKNOWN), str(error)
    try:
        found = status.read(folder)
    except RecursionError:
        found = None
    if found is None or not _is_sound(found):
        return status.Status(UNKNOWN), f"{status.FILENAME} is not one of lrx"
    return found, ""


def _is_sound(found: status.Status) -> bool:
    """Whether each field is of its kind: a file may say anything."""
    texts = (found.command, *found.overrides, found.config, found.error, found.host, found.job)
    numbers = (found.step, found.steps, found.rate, found.seconds_left)
    are_texts = all(isinstance(text, str) for text in texts)
    are_numbers = all(isinstance(number, int | float) and abs(number) < 2**63 for number in numbers)
    return are_texts and are_numbers and (found.inputs is None or isinstance(found.inputs, Mapping))


def _name(folder: Path, top: Path) -> str:
    return one_line(top.resolve().name if folder == top else folder.relative_to(top).as_posix())

"""Catalog of runs: the run folders at a path, how each went, and which results belong to which training.

A run is a folder with a status.json, a config.yaml or a result.h5. An assay in a folder inside that of a training run
belongs to it; `then=` puts them there. Trees may come from anywhere: hidden folders and links to folders are skipped.
Checkpoints are hashed, never loaded.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lrx.core.checksum import file_sha256
from lrx.core.garbage_collection import without_garbage_collection
from lrx.core.paths import CHECKPOINT, why_no_file
from lrx.core.text import one_line
from lrx.runs import plan, run_folder, status
from lrx.runs.run_files import check_file, read_status
from lrx.runs.status import UNKNOWN
from lrx.storage import results

MARKS = {status.FILENAME, run_folder.FILENAME, results.FILENAME}
# of what needs attention first
ORDER = ("running", "failed", "interrupted", UNKNOWN, plan.DELETED, plan.MISSING, plan.QUEUED, "done")
SHARD = re.compile(r"\d+of\d+")  # the folder of a part of an assay
DEEPEST = 100  # folders within folders


@dataclass
class Run:
    """Run folder, or a results file given alone.

    name: path from the top of the tree. files: names of files in the folder. error: why its status cannot be read.
    assays: runs of assays inside the folder of a training run. `find_measured` adds: trained, the folder of its
    training (None: not at hand), and result_files, the results that belong to it.
    """

    name: str
    folder: Path
    files: frozenset[str]
    status: status.Status
    error: str = ""
    assays: list[Run] = field(default_factory=list)
    trained: Path | None = None
    result_files: tuple[Path, ...] = ()

    @property
    def is_assay(self) -> bool:
        """True for an assay, which measures a model; False for a training or an import."""
        return (self.status.command or ("assay" if results.FILENAME in self.files else "")) == "assay"

    @property
    def slowest(self) -> Run:
        """First of the run and its assays that is not done, but for results without a status; itself when all are."""
        for part in (self, *self.assays):
            has_result = part is not self and part.status.state == UNKNOWN and results.FILENAME in part.files
            if part.status.state != "done" and not has_result:
                return part
        return self

    @property
    def state(self) -> str:
        """State, one of ORDER; done when its assays are done, too."""
        return self.slowest.status.state

    @property
    def why(self) -> str:
        """Reason of its state in one line: the error of a failed run, the step of an interrupted one."""
        part = self.slowest
        reason = part.error or part.status.error or plan.REASONS.get(part.status.state, "")
        if not reason and part.state == "interrupted":
            reason = f"at step {part.status.step} of {part.status.steps}" if part.status.steps else "before it was done"
        return one_line(reason if part is self or not reason else f"{part.folder.name}: {reason}")


def find_runs(top: Path) -> list[Run]:
    """Return every run at or below a folder, by name, with those that are planned there and have no folder.

    ValueError when there is no such folder, or no run in it.
    """
    if not top.is_dir():
        raise ValueError(f"{top} is no folder; give one that holds runs, such as outputs/train/my-sweep")
    with without_garbage_collection():
        top_runs = _find_runs(top)
    if not top_runs:
        raise ValueError(f"{top} holds no runs: no folder in it has a {', '.join(sorted(MARKS))}")
    return top_runs


def _find_runs(top: Path) -> list[Run]:
    by_folder, top_runs = dict[str, Run](), list[Run]()
    for where, run in _walk(top):
        by_folder[where] = run
        owner = _run_above(where, os.fspath(top), by_folder) if run.is_assay else None
        if owner is not None and not owner.is_assay:
            owner.assays.append(run)
        else:
            top_runs.append(run)
    return top_runs


def result_files(top: Path) -> Iterator[Path]:
    """Yield the results files at or below a folder, without those in the folders of shards, as they are found."""
    for where, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not SHARD.fullmatch(name))
        if results.FILENAME in files:
            yield Path(where, results.FILENAME)


def find_measured(path: Path) -> list[Run]:
    """Return the runs at a results file, a run folder or a tree, with their trainings and results.

    To a training belong the results in or below its folder, and those in the folder `assay` beside `train` (or
    `import`) of a checkpoint with the same SHA-256. To an assay belongs its own, and the training of the checkpoint
    that it names, while that has the same SHA-256. ValueError where there is no run, OSError for no such path.
    """
    path = path.resolve()
    if path.is_file():
        state, error = read_status(path.parent, path.parent)
        files = frozenset({path.name})
        return [Run(path.parent.name, path.parent, files, state, error, [], _training_of(path), (path,))]
    if not path.is_dir():
        raise FileNotFoundError(
            f"{path}: {why_no_file(path, or_folder=True)}; give a run folder, a sweep's folder or a result.h5"
        )
    runs, elsewhere = find_runs(path), _AssayFolders()
    for run in runs:
        own = [part.folder / results.FILENAME for part in (run, *run.assays) if results.FILENAME in part.files]
        if run.is_assay:
            run.trained = _training_of(own[0]) if own else None
        else:
            run.trained = run.folder
            own += [file for file in elsewhere.measured_on(run.folder) if file not in own]
        run.result_files = tuple(own)
    # an assay that is shown with the run that it measured is no run of its own
    with_training = {file for run in runs if run.trained == run.folder for file in run.result_files}
    return [run for run in runs if run.trained == run.folder or not with_training & set(run.result_files)]


def summary(states: Iterable[str]) -> str:
    """Count the runs in each state, as in `1 running, 2 failed, 7 done`."""
    counts = Counter(states)
    return ", ".join(f"{counts[state]:,} {state}" for state in ORDER if counts[state])


def _run_above(where: str, top: str, by_folder: Mapping[str, Run]) -> Run | None:
    """Return the run whose folder holds this one, the nearest of several; None where the tree has none."""
    while where != top:
        where = os.path.dirname(where)
        if where in by_folder:
            return by_folder[where]
    return None


def _walk(top: Path) -> list[tuple[str, Run]]:
    """List folders with their runs, each before those inside it; one that cannot be listed is a run with an error."""
    runs, sweeps = list[tuple[str, Run]](), list[str]()
    prefix = os.path.join(top, "")

    def name_of(folder: Path) -> str:
        return one_line(top.resolve().name if folder == top else folder.relative_to(top).as_posix())

    def add_unreadable(error: OSError) -> None:
        folder, reason = Path(error.filename), (error.strerror or str(error)).lower()
        runs.append((error.filename, Run(name_of(folder), folder, frozenset(), status.Status(UNKNOWN), reason)))

    for where, folders, files in os.walk(top, onerror=add_unreadable):
        folder, marks = Path(where), MARKS & {*files, *folders}
        sweeps += [where] if plan.FILENAME in files else []
        deep = where.removeprefix(prefix).count(os.sep) + 1 >= DEEPEST and folder != top
        folders[:] = [] if deep else sorted(name for name in folders if not name.startswith("."))
        if results.FILENAME in files:  # the parts that it was joined from are no runs of their own
            folders[:] = [name for name in folders if not SHARD.fullmatch(name)]
        if marks:
            name = name_of(folder) if folder == top else one_line(where.removeprefix(prefix))
            runs.append((where, Run(name, folder, frozenset({*marks, *files}), *read_status(folder, top))))
    return runs + [pending for sweep in sweeps for pending in _pending(sweep, prefix, runs)]


def _pending(sweep: str, prefix: str, runs: Sequence[tuple[str, Run]]) -> Iterator[tuple[str, Run]]:
    """Yield the planned runs of a sweep that have no folder."""
    inside = os.path.join(sweep, "")
    inner = {f"{where}/".removeprefix(inside)[:-1] or ".": run for where, run in runs if f"{where}/".startswith(inside)}
    present = {name: run.status.overrides for name, run in inner.items()}
    joined = {name for name, run in inner.items() if results.FILENAME in run.files}
    for name, state in plan.pending(Path(sweep), present, joined).items():
        where = os.path.join(sweep, name)
        yield where, Run(one_line(where.removeprefix(prefix)), Path(where), frozenset(), state)


def _checkpoint_of(file: Path) -> tuple[str, str]:
    """Return the checkpoint that a results file names, and its SHA-256; empty for a file that cannot be read."""
    try:
        check_file(file, file.parent)
        with results.open_file(file) as opened:
            checkpoint, digest = (str(opened.attrs.get(key, "")) for key in ("checkpoint", "checkpoint_sha256"))
            return checkpoint, digest
    except results.UNREADABLE:
        return "", ""  # reported when its results are read


def _training_of(file: Path) -> Path | None:
    """Return the folder of the checkpoint that a results file names, if that is there and has the same SHA-256."""
    checkpoint, digest = _checkpoint_of(file)
    path = Path(checkpoint)
    try:
        return path.resolve().parent if checkpoint and path.is_file() and file_sha256(path) == digest else None
    except (OSError, ValueError):  # a name that no system takes, or a file that may not be read
        return None


class _AssayFolders:
    """Results files in the folder `assay` beside `train` or `import`, by the SHA-256 of their checkpoint."""

    def __init__(self) -> None:
        self._by_sha256: dict[Path, dict[str, list[Path]]] = {}

    def measured_on(self, folder: Path) -> list[Path]:
        """Return those of the checkpoint in a run folder."""
        above = [parent for parent in folder.parents if parent.name in ("train", "import")]
        assays = above[0].parent / "assay" if above else None
        if assays is None or not assays.is_dir() or not (folder / CHECKPOINT).is_file():
            return []
        if assays not in self._by_sha256:
            self._by_sha256[assays] = {}
            for file in sorted(assays.rglob(results.FILENAME)):
                self._by_sha256[assays].setdefault(_checkpoint_of(file)[1], []).append(file)
        by_sha256 = self._by_sha256[assays]
        try:
            return by_sha256.get(file_sha256(folder / CHECKPOINT), []) if by_sha256 else []
        except OSError:
            return []

"""What a path holds for a report: runs, each with how it was trained and what was measured on it.

A path is a results file, a run folder (of training, import or an assay), or a folder with run folders below it at any
depth. To a trained run belong the results that lie in its folder or below it, and those in the folder `assay` beside
`train` (or `import`) that were measured on a checkpoint of the same SHA-256. To an assay's folder belongs its result,
and the training curves of the checkpoint that it names, as long as that is still the same.
Checkpoints are hashed, never loaded.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import yaml

from lrx.core.paths import CHECKPOINT
from lrx.runs import run_folder, run_tree, status
from lrx.storage import results
from lrx.training import metrics_log

# What h5py and PyYAML make of files that are damaged, or were made to harm.
UNREADABLE = (OSError, ValueError, LookupError, RuntimeError, TypeError, AttributeError, OverflowError, MemoryError)


@dataclass(frozen=True)
class Place:
    """Where a run lies: its folder or file, the folder of its training (None if not at hand), its result files."""

    path: Path
    trained: Path | None
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Run:
    """A run, read.

    config, measuring: of the training and of the newest result, as dotted keys. status: of the folder itself.
    rows: of the training curves. results: by file, newest last. faults: a line for each file that cannot be read.
    """

    place: Place
    config: Mapping[str, str]
    measuring: Mapping[str, str]
    status: status.Status | None
    rows: list[dict[str, float]]
    results: Mapping[Path, results.Results]
    faults: tuple[str, ...]

    @property
    def name(self) -> str:
        """The folder's name, that of a file's folder for a file."""
        path = self.place.path
        return path.parent.name if path.is_file() else path.name


def places(path: Path) -> list[Place]:
    """The runs at a path, in the order of their names. ValueError where there is none, OSError for no such path."""
    path = path.resolve()
    if path.is_file():
        return [Place(path, _training_of(path), (path,))]
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such file or folder; give a run folder, a sweep's folder or a result.h5")
    found, elsewhere = [], _Elsewhere()
    for run in run_tree.find_runs(path):
        inside = _files(run)
        if run.is_assay:
            found.append(Place(run.folder, _training_of(inside[0]) if inside else None, inside))
        else:
            others = [file for file in elsewhere.measured_on(run.folder) if file not in inside]
            found.append(Place(run.folder, run.folder, (*inside, *others)))
    # an assay that is told of with the run that it measured needs no place of its own
    taken = {file for place in found if place.trained == place.path for file in place.files}
    return [place for place in found if place.trained == place.path or not place.files or not taken & set(place.files)]


def read(place: Place) -> Run:
    """Read a run. ValueError for a path that is a file and no results file; other faults are kept as lines."""
    whole: dict[Path, results.Results] = {}
    faults = []
    for file in sorted(place.files, key=lambda file: file.lstat().st_mtime):
        try:
            run_tree.check_file(file, file.parent)
            whole[file], wrong = _sound(results.read(file), file)
            faults += wrong
        except UNREADABLE as error:
            if file == place.path:
                raise
            faults.append(str(error))
    said: list[dict[str, str]] = []
    for text in (_config_text, _measuring_text):
        try:
            said.append(flat(text(place, list(whole.values()))))
        except UNREADABLE as error:
            said.append({})
            faults.append(f"{place.trained or place.path}: {run_tree.one_line(str(error))}")
    rows, wrong = _rows(place.trained) if place.trained else ([], [])
    own = place.path if place.path.is_dir() else place.path.parent
    return Run(place, said[0], said[1], status_of(own), rows, whole, (*faults, *wrong))


def status_of(folder: Path) -> status.Status | None:
    """The status of a run folder, None where there is none that lrx wrote: a file may say anything."""
    try:
        run_tree.check_file(folder / status.FILENAME, folder, largest=run_tree.LARGEST_TEXT)
    except (OSError, ValueError):
        return None
    said = status.read(folder)
    sound = said is None or all(isinstance(text, str) for text in (said.command, said.error, *said.overrides))
    return said if sound else None


def flat(text: str) -> dict[str, str]:
    """A config's yaml as dotted keys and values as text. ValueError for what is none, or none of a sensible size.

    >>> flat("model: {beta: 4.0, betas: [1, 2]}")
    {'model.beta': '4.0', 'model.betas': '[1, 2]'}
    """

    def walk(node: object, key: str) -> Iterator[tuple[str, str]]:
        if isinstance(node, dict):
            for name, child in node.items():
                yield from walk(child, f"{key}.{name}" if key else str(name))
        elif key:
            yield key, str(node)

    if len(text) > run_tree.LARGEST_TEXT:
        raise ValueError(f"a config of {len(text):,} characters is none of lrx")
    try:
        if "*" in text and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise ValueError("a config with aliases, by which a short text is one of any size, is none of lrx")
        return dict(walk(yaml.safe_load(text), ""))
    except (yaml.YAMLError, *UNREADABLE) as error:
        raise ValueError(str(error)) from error


def _config_text(place: Place, measured: list[results.Results]) -> str:
    """The config of the training: what its results say of it, or its folder; empty where neither does."""
    said = [str(one.provenance["checkpoint_config"]) for one in measured if "checkpoint_config" in one.provenance]
    path = place.trained / run_folder.FILENAME if place.trained else None
    if said or path is None or not path.is_file():
        return said[-1] if said else ""
    run_tree.check_file(path, path.parent, largest=run_tree.LARGEST_TEXT)
    return path.read_text(encoding="utf-8")


def _measuring_text(_: Place, measured: list[results.Results]) -> str:
    """The config of the newest result; empty where there is none."""
    return str(measured[-1].provenance.get("config", "")) if measured else ""


def _sound(stored: results.Results, file: Path) -> tuple[results.Results, list[str]]:
    """Results whose provenance can be looked up, and a line for each assay of which the file tells none."""
    wrong = [name for name, told in stored.provenance_of.items() if not isinstance(told, Mapping)]
    known = {name: stored.provenance if name in wrong else told for name, told in stored.provenance_of.items()}
    lines = [f"{file}: the provenance of {name} is no mapping; that of the file is shown" for name in wrong]
    return replace(stored, provenance_of=known), lines


def _rows(folder: Path) -> tuple[list[dict[str, float]], list[str]]:
    """The training curves of a run folder, steps and values as numbers, and a line for what is none."""
    path = folder / metrics_log.JSONL
    if not path.exists():
        return [], []
    try:
        run_tree.check_file(path, folder)
        read = metrics_log.read(folder)
    except UNREADABLE as error:
        return [], [f"{folder}: {run_tree.one_line(str(error))}"]
    numbers = [{key: found for key, value in row.items() if (found := _number(value)) is not None} for row in read]
    rows = [row for row in numbers if "loss" in row and math.isfinite(row.get("step", math.nan))]
    damaged = sum(row not in rows or len(row) < len(whole) for row, whole in zip(numbers, read, strict=True))
    return rows, [f"{path}: {damaged:,} of {len(read):,} rows hold what is no number"] if damaged else []


def _number(value: object) -> float | None:
    """A value of a log that a curve can show, NaN and infinities among them."""
    try:
        return value if isinstance(value, float) else float(value) if isinstance(value, int) else None
    except OverflowError:
        return None


def _files(run: run_tree.Run) -> tuple[Path, ...]:
    return tuple(part.folder / results.FILENAME for part in (run, *run.assays) if results.FILENAME in part.files)


def _measured_on(file: Path) -> tuple[str, str]:
    """The checkpoint that a results file names, and its SHA-256; empty for a file that cannot be read."""
    try:
        run_tree.check_file(file, file.parent)
        with h5py.File(file, "r") as opened:
            checkpoint, digest = (str(opened.attrs.get(key, "")) for key in ("checkpoint", "checkpoint_sha256"))
            return checkpoint, digest
    except UNREADABLE:
        return "", ""  # whoever reads the file says why


def _training_of(file: Path) -> Path | None:
    """The folder of the checkpoint that a results file names, if that is there and the same."""
    checkpoint, digest = _measured_on(file)
    path = Path(checkpoint)
    try:
        return path.resolve().parent if checkpoint and path.is_file() and _sha256(path) == digest else None
    except (OSError, ValueError):  # a name that no system takes, or a file that may not be read
        return None


class _Elsewhere:
    """The result files in the folder `assay` beside `train`, by the checkpoint that they were measured on."""

    def __init__(self) -> None:
        self._known: dict[Path, dict[str, list[Path]]] = {}

    def measured_on(self, folder: Path) -> list[Path]:
        """Those of the checkpoint in a run folder."""
        above = [parent for parent in folder.parents if parent.name in ("train", "import")]
        assays = above[0].parent / "assay" if above else None
        if assays is None or not assays.is_dir() or not (folder / CHECKPOINT).is_file():
            return []
        if assays not in self._known:
            self._known[assays] = {}
            for file in sorted(assays.rglob(results.FILENAME)):
                self._known[assays].setdefault(_measured_on(file)[1], []).append(file)
        known = self._known[assays]
        try:
            return known.get(_sha256(folder / CHECKPOINT), []) if known else []
        except OSError:
            return []


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

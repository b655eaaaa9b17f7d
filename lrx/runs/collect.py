"""What the runs of a tree say, a row for each: settings, the losses logged last, every score, and what went wrong.

`lrx collect outputs/train/my-sweep` writes collected.h5 and collected.csv there, see lrx.runs.table_hdf5. Whatever a
folder holds, half-written, foreign or hostile, it costs its row a line of explanation and stops nothing. Both files are
put in place whole.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml

from lrx.runs import run_folder
from lrx.runs.result_scan import Scanned, scan
from lrx.runs.run_tree import LARGEST_TEXT, Run, check_file, find_runs, one_line
from lrx.runs.table import RANKED, TRAINED, Row, Setting, Table, cap, write_csv
from lrx.runs.table_hdf5 import write_hdf5
from lrx.storage import results
from lrx.storage.atomic import atomic_path
from lrx.training import metrics_log

TAIL = 65536  # bytes of a log that its last line is looked for in
MOST_KEYS = 10_000  # of a config
MOST_LATENTS = 4096  # of a model whose codes are compared: each pair of latents is
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where PyYAML has libyaml
TEXTS = ("config", "checkpoint_config")  # of the provenance: taken apart into settings


def collect(top: Path, out: Path) -> list[Row]:
    """Write what the runs below a folder say to `out`, an .h5 file, and to the .csv file beside it; the rows.

    ValueError when there are no runs, or `out` is no .h5 file.
    """
    if out.suffix != ".h5":
        raise ValueError(f"out={out} must end in .h5; its table is written beside it as .csv")
    rows = [row for run in find_runs(top) for row in _rows(run, top)]
    _rank(rows)
    cap(rows)
    table = Table(rows)
    write_hdf5(out, table)
    with atomic_path(out.with_suffix(".csv")) as beside:
        write_csv(beside, table)
    return rows


def settings_of(text: str) -> dict[str, Setting]:
    """Every dotted key of a config and its value; a list is one value, as text. ValueError when it is no config."""
    found: dict[str, Setting] = {}
    # key by key, as most of what one run says is what the run before said
    blocks = re.split(r"(?m)^(?=[^\s#-])", text)
    for block in blocks if len(blocks) <= MOST_KEYS else []:
        found |= _settings_of_block(block)
    count = max(len(blocks), len(found))
    if count > MOST_KEYS:
        raise ValueError(f"a config of {count:,} keys is none of lrx")
    return found


@functools.lru_cache(maxsize=4096)
def _settings_of_block(block: str) -> Mapping[str, Setting]:
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(block, Loader=LOADER)):
            raise ValueError("a config that repeats parts of itself is none of lrx")
        content = yaml.load(block, Loader=LOADER)
        if content is not None and not isinstance(content, dict):
            raise ValueError("a config has keys")
        return dict(_leaves(content or {}, ""))
    except (yaml.YAMLError, RecursionError, TypeError, OverflowError, LookupError, AttributeError) as error:
        raise ValueError(one_line(f"{type(error).__name__}: {error}")) from error


def _leaves(node: Mapping[object, object], prefix: str) -> Iterator[tuple[str, Setting]]:
    for key, value in node.items():
        dotted = one_line(f"{prefix}{key}")
        if isinstance(value, dict):
            yield from _leaves(value, f"{dotted}.")
        elif value is None or isinstance(value, bool | float):
            yield dotted, value
        else:
            yield dotted, value if isinstance(value, int) and abs(value) < 2**63 else one_line(str(value))


@dataclass
class _Part:
    """What one folder says: of a run, or of an assay that belongs to it."""

    run: Run
    settings: dict[str, Setting] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)
    assays: dict[str, Scanned] = field(default_factory=dict)
    provenance: dict[str, str | int | float] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def read(self, top: Path) -> _Part:
        """Read what there is; what cannot be read is an error."""
        for name, reader in READERS.items():
            if name in self.run.files:
                path = self.run.folder / name
                try:
                    check_file(path, top, largest=LARGEST_TEXT if name == run_folder.FILENAME else None)
                    reader(self, path)
                except (ValueError, OSError) as error:
                    self.errors.append(one_line(str(error)))
        return self

    def read_config(self, path: Path) -> None:
        try:
            self.settings = settings_of(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path.name} is no config: {error}") from error

    def read_losses(self, path: Path) -> None:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL))
            lines = file.read(TAIL).splitlines()
        for line in reversed(lines):  # the last one may be cut
            try:
                row = json.loads(line)
                self.losses = {one_line(str(key)): float(row[key]) for key in row}
                return
            except (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError):
                continue

    def read_result(self, path: Path) -> None:
        self.assays, self.provenance = scan(path)


READERS = {
    run_folder.FILENAME: _Part.read_config,
    metrics_log.JSONL: _Part.read_losses,
    results.FILENAME: _Part.read_result,
}


def _rows(run: Run, top: Path) -> Iterator[Row]:
    """The row of a run with its assays. An assay that it has twice gets a row of its own the second time."""
    row = Row(run.name, run.state, run.why, one_line(run.status.command))
    rest = []
    for part in (_Part(inner).read(top) for inner in (run, *run.assays)):
        if part.assays.keys() & row.assays.keys():
            rest.append(part)
        else:
            _add(row, part, run)
    yield row
    for part in rest:
        again = Row(part.run.name, part.run.state, part.run.why, one_line(part.run.status.command))
        _add(again, part, part.run)
        yield again


def _add(row: Row, part: _Part, run: Run) -> None:
    """Put what a part says into a row."""
    inner = "" if part.run is run else f"{part.run.folder.name}: "
    for error in part.errors:
        row.fault(inner + error)
    row.assays |= part.assays
    row.scores |= {name: assay.scores for name, assay in part.assays.items()}
    typed: dict[str, Setting] = {}
    for word in part.run.status.overrides:
        key, _, value = one_line(word).lstrip("+~").partition("=")
        typed[key] = value
    if part.run.is_assay:
        _join(row.measuring, {_of_assay(key): value for key, value in part.settings.items()})
        _join(row.overrides, {_of_assay(key): value for key, value in typed.items()})
    else:
        row.training |= part.settings
        row.overrides |= typed
    if part.losses:
        row.scores[TRAINED] = part.losses
    if not row.training and isinstance(text := part.provenance.get("checkpoint_config"), str):
        try:
            if len(text) > LARGEST_TEXT:
                raise ValueError(f"it has {len(text):,} letters")
            row.training |= settings_of(text)
        except ValueError as error:
            row.fault(f"the model's config cannot be read: {error}")
    known = {key: value for key, value in part.provenance.items() if key not in TEXTS}
    _join(row.provenance, {key: one_line(value) if isinstance(value, str) else value for key, value in known.items()})


def _of_assay(key: str) -> str:
    """The name of an assay's key beside those of the training that it measures: its seed is `assay.seed`."""
    return key if key.partition(".")[0] == "assay" else f"assay.{key}"


def _join(known: dict[str, Setting], more: Mapping[str, Setting]) -> None:
    """Add values; where the assays of a run differ, both are told."""
    for key, value in more.items():
        if key not in known:
            known[key] = value
        elif repr(known[key]) != repr(value):
            known[key] = one_line(f"{known[key]}; {value}")


def _rank(rows: list[Row]) -> None:
    """UDR of the runs whose configs differ in the seed alone, and whose codes are of the same images."""
    alike = defaultdict(list)
    for row in rows:
        members = row.assays["codes"].members if "codes" in row.assays else {}
        older = members.get("carrying", members.get("informative"))
        carrying_D = members.get("active_by_kl", older)
        if carrying_D is None or not {"codes", "image"} <= members.keys() or not row.training:
            continue
        values_ND = members["codes"]
        why = _unranked(values_ND, carrying_D)
        if why:
            row.fault(f"its codes cannot be ranked: {why}")
            continue
        same = {key: value for key, value in row.training.items() if key not in run_folder.FREE and key != "seed"}
        images = hashlib.sha256(members["image"].tobytes()).hexdigest(), len(values_ND)
        what = row.provenance.get("dataset_fingerprint"), row.provenance.get("trained_steps")
        alike[repr((sorted(same.items()), images, what))].append((row, values_ND, carrying_D))
    if not alike:
        return
    from lrx.metrics.udr import udr  # scipy.stats takes a second to import

    for group in alike.values():
        ranked, codes, carrying = zip(*group, strict=True)
        scores, partners = udr(codes, carrying, [row.training.get("seed") for row in ranked])
        for row, score, count in zip(ranked, scores, partners, strict=True):
            row.scores[RANKED] = {"udr_spearman": float(score), "num_partners": float(count)}


def _unranked(codes_ND: np.ndarray, carrying_D: np.ndarray) -> str:
    """Why codes cannot be compared with others; nothing if they can."""
    if codes_ND.dtype.kind not in "iuf" or carrying_D.dtype.kind not in "biuf":
        return f"they are {codes_ND.dtype}, and which latents are carrying is {carrying_D.dtype}"
    if codes_ND.ndim != 2 or carrying_D.shape != codes_ND.shape[1:]:
        return f"they are of shape {codes_ND.shape}, and which latents are carrying {carrying_D.shape}"
    if len(codes_ND) < 2 or codes_ND.shape[1] > MOST_LATENTS:
        return f"they are of {len(codes_ND):,} images and {codes_ND.shape[1]:,} latents"
    return "" if np.isfinite(codes_ND).all() else "they are not finite"

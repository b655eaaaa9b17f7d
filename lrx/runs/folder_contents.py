"""Contents of one folder, of a run or of an assay that belongs to it, as a table of runs keeps them."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lrx.core.config_text import stated
from lrx.core.text import one_line
from lrx.runs import run_folder
from lrx.runs.run_files import check_file, read_config
from lrx.runs.scan_file import scan_file
from lrx.runs.table import Setting
from lrx.storage import results
from lrx.storage.result_scan import ScannedAssay
from lrx.training import metrics_log


@dataclass
class FolderContents:
    """Settings, last losses, and the scan of the results of a folder; a line for each file that cannot be read."""

    settings: dict[str, Setting] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)
    assays: dict[str, ScannedAssay] = field(default_factory=dict)
    provenance: dict[str, str | int | float] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def read_folder(folder_and_files: tuple[Path, frozenset[str]], *, top: Path) -> FolderContents:
    """Read a folder with files of these names. top: the tree that links may not leave."""
    folder, files = folder_and_files
    contents, log = FolderContents(), folder / metrics_log.JSONL
    if run_folder.FILENAME in files:
        with _append_error(contents.errors):
            contents.settings = as_settings(stated(read_config(folder, top)))
    if log.name in files:
        with _append_error(contents.errors):
            check_file(log, top)
            contents.losses = {one_line(key): value for key, value in metrics_log.last_row(log).items()}
    if results.FILENAME in files:
        scanned = scan_file(folder / results.FILENAME, top)
        contents.assays, contents.provenance, contents.foreign = scanned.assays, scanned.provenance, scanned.foreign
        contents.errors += [scanned.error] if scanned.error else []
    return contents


def as_settings(flat: Mapping[str, object]) -> dict[str, Setting]:
    """Make values fit for a table: numbers, booleans and None; others become one line of text."""
    return {_setting_name(key): _setting(value) for key, value in flat.items()}


@contextmanager
def _append_error(errors: list[str]) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError) as error:
        errors.append(one_line(str(error)))


@functools.lru_cache(maxsize=4096)
def _setting_name(key: str) -> str:
    return one_line(key)


def _setting(value: object) -> Setting:
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    return one_line(str(value))

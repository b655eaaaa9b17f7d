"""Scan of a results file of a tree that may come from anywhere: what cannot be read is one line."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from lrx.core.text import one_line
from lrx.runs.run_files import check_file
from lrx.storage.result_scan import COMPARED, ScannedAssay, scan


@dataclass(frozen=True)
class FileScan:
    """Content of a results file: see `lrx.storage.result_scan.scan`. error: why it cannot be read; empty: it can."""

    assays: dict[str, ScannedAssay]
    provenance: dict[str, str | int | float]
    foreign: list[str]
    error: str = ""


def scan_file(file: Path, top: Path | None = None, *, large: Set[tuple[str, str]] = COMPARED) -> FileScan:
    """Return the scan of a file, without assays where it cannot be read.

    top: the tree that links may not leave; None: the folder of the file. large: as of `scan`.
    """
    foreign: list[str] = []
    try:
        check_file(file, file.parent if top is None else top)
        return FileScan(*scan(file, foreign, large=large), foreign)
    except (ValueError, OSError) as error:
        return FileScan({}, {}, foreign, one_line(str(error)))

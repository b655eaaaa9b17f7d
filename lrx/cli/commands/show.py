"""Print a result.h5, or the one in a folder: matrices as heat, scores with their
errors, settings and provenance. Of a run folder without a result.h5 list
the results in it, and the command for its report.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import h5py

from lrx.cli.console import messages
from lrx.core.paths import why_no_file
from lrx.core.text import join_names
from lrx.runs import table_hdf5
from lrx.runs.catalog import find_measured
from lrx.storage import results

MOST_FILES = 20  # results that are listed


def show_command(path: Path) -> None:
    """Print a results file, or that of a run folder; of a folder without one, the commands that show its results.

    OSError and ValueError for a path that has neither.
    """
    file = path / results.FILENAME if path.is_dir() else path
    if file.is_file():
        try:
            stored = results.read(file)
        except ValueError as error:
            raise ValueError(_table_of_runs(file) or str(error)) from error
        messages.show_file(stored)
        if stored.foreign:
            messages.note(f"not shown, as lrx did not write it: {join_names(stored.foreign)}")
    elif path.is_dir() and (commands := _commands_for(path)) is not None:
        messages.show_lines(commands)
    else:
        raise FileNotFoundError(f"{file}: {why_no_file(file)}; give a {results.FILENAME}, or a folder that has one")


def _commands_for(folder: Path) -> list[str] | None:
    """Return the commands that show the results of the runs in a folder, and their report; None where no run is."""
    try:
        runs = find_measured(folder)
    except ValueError:
        return None
    files = [file for run in runs for file in run.result_files]
    names = [os.path.relpath(file.parent) for file in files]
    commands = [f"  lrx show {shlex.quote(name)}" for name in names[:MOST_FILES]]
    more = [f"  and {len(names) - MOST_FILES:,} more"] if len(names) > MOST_FILES else []
    head = f"no {results.FILENAME} lies in this folder itself; its results:" if files else "nothing is measured yet"
    page = ["all of it as one page, with curves and pictures:", f"  lrx report {shlex.quote(str(folder))}"]
    return [head, *commands, *more, *page]


def _table_of_runs(file: Path) -> str | None:
    """Return what to do with a file of `lrx collect` instead; None for other files."""
    try:
        with h5py.File(file, "r") as opened:
            if opened.attrs.get("format") != table_hdf5.FORMAT:
                return None
    except (OSError, RuntimeError):
        return None
    return (
        f"{file} is lrx collect's table of runs, not a {results.FILENAME}: read {file.with_suffix('.csv')}, "
        f"or draw it with lrx report {shlex.quote(str(file.parent))}"
    )

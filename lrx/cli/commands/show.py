"""Print a result.h5, or the one in a folder: the latents that answer to each
factor, matrices as heat, scores with their errors, settings and provenance;
of several assays the answers and main scores, and with --all the rest.
Of a run folder without a result.h5 list the results in it with their remarks,
and the command for its report; while there are none, what became of the run.
"""

from __future__ import annotations

import itertools
import os
import shlex
import textwrap
from pathlib import Path

import h5py

from lrx.cli.console import messages
from lrx.core.paths import why_no_file
from lrx.core.text import join_names
from lrx.report.commands import command_again, sweep_lines
from lrx.runs import table_hdf5
from lrx.runs.catalog import Run, find_measured, result_files, summary
from lrx.storage import results
from lrx.storage.result_scan import scan

MOST_FILES, MOST_COUNTED = 20, 1000  # results that are listed, and that are counted
WIDTH = 80  # columns of a remark


def show_command(path: Path, *, all: bool = False) -> None:
    """Print a results file, or that of a run folder; of a folder without one, the commands that show its results.

    all: print the whole of a file with several assays. OSError and ValueError for a path that has neither.
    """
    file = path / results.FILENAME if path.is_dir() else path
    if file.is_file():
        try:
            stored = results.read(file)
        except ValueError as error:
            raise ValueError(_table_of_runs(file) or str(error)) from error
        messages.show_file(stored, whole=all)
        if len(stored.assays) > 1 and not all:
            messages.note(f"matrices, all scores, settings and provenance: lrx show {shlex.quote(str(path))} --all")
        if stored.foreign:
            messages.note(f"not shown, as lrx did not write it: {join_names(stored.foreign)}")
    elif path.is_dir() and (commands := _commands_for(path)) is not None:
        messages.show_lines(commands)
    else:
        raise FileNotFoundError(f"{file}: {why_no_file(file)}; give a {results.FILENAME}, or a folder that has one")


def _commands_for(folder: Path) -> list[str] | None:
    """Return the commands that show the results of the runs in a folder, and their report; None where no run is."""
    files = list(itertools.islice(result_files(folder), MOST_COUNTED + 1))
    runs: list[Run] = []
    if len(files) <= MOST_FILES:  # of more, the first ones are listed, whatever became of all runs
        try:
            runs = find_measured(folder)
        except ValueError:
            return None
        files = [file for run in runs for file in run.result_files]
    lines = [f"no {results.FILENAME} lies in this folder itself; its results:"] if files else _without_results(runs)
    for file in files[:MOST_FILES]:
        lines += [f"  lrx show {shlex.quote(os.path.relpath(file.parent))}", *_remarks(file)]
    over = "over " if len(files) > MOST_COUNTED else ""
    lines += [f"  and {over}{min(len(files), MOST_COUNTED) - MOST_FILES:,} more"] if len(files) > MOST_FILES else []
    if files or not all(run.is_assay for run in runs):
        lines += ["all of it as one page, with curves and pictures:", f"  lrx report {shlex.quote(str(folder))}"]
    return lines


def _remarks(file: Path) -> list[str]:
    """Return the remarks of a results file, in lines of a terminal."""
    try:
        assays, _ = scan(file)
    except ValueError as error:
        return [f"    {error}"]
    remarks = [f"{name}: {assay.remark}" for name, assay in assays.items() if assay.remark]
    wrapper = textwrap.TextWrapper(WIDTH, initial_indent="    remark on ", subsequent_indent="    ")
    return [line for remark in remarks for line in wrapper.wrap(remark)]


def _without_results(runs: list[Run]) -> list[str]:
    """Return what became of runs that have no result, and the commands that go on with those which ended early."""
    states = f"{runs[0].state}{f' ({runs[0].why})' if runs[0].why else ''}" if len(runs) == 1 else ""
    parts = [(run, part) for run in runs for part in (run, *run.assays)]
    ended = [(run, part) for run, part in parts if part.status.state in ("interrupted", "failed")]
    commands = sweep_lines(command_again(run, part) for run, part in ended)
    again = ["the same command goes on:", *(f"  {line}" for line in commands)] if commands else []
    return [f"nothing is measured yet: {states or summary(run.state for run in runs)}", *again]


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

"""Commands on what runs left behind, which need no config.

`lrx collect FOLDER [out=PATH]`, `lrx status FOLDER [--once]`, `lrx report PATH [out=PATH]`, `lrx show PATH`.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import h5py

from lrx.cli.commands.status import status_command
from lrx.cli.console import messages
from lrx.cli.console import usage as shell
from lrx.core.paths import PART, expand_user
from lrx.runs import table_hdf5
from lrx.runs.catalog import find_measured, summary
from lrx.runs.collect import collect
from lrx.storage import results

MOST_FILES = 20  # results that are listed
OPTIONS = {"collect": "out=", "report": "out=", "status": "--once"}


def run(command: str, words: list[str]) -> None:
    """Do what a command is asked in these words. ValueError for words that make no sense."""
    usage = shell.ON_FOLDERS[command]
    if {"-h", "--help"} & set(words):
        print(usage)
        return
    option = OPTIONS.get(command, "")
    options = [word for word in words if option and (word == option or (option == "out=" and word.startswith(option)))]
    folders = [word for word in words if word not in options]
    strange = [word for word in folders if word.startswith("-")]
    if strange or len(folders) != 1 or len(options) > 1 or options == ["out="]:
        kind = "folder" if command in ("collect", "status") else "path"
        given = f"not {' '.join(strange or words)}" if words else "such as outputs/train/my-sweep"
        raise ValueError(f"lrx {command} takes one {kind}, {given}; {usage.splitlines()[0]}")
    top = expand_user(folders[0])
    out = expand_user(options[0].removeprefix(option)) if option == "out=" and options else None
    if command == "status":
        status_command(top, once=bool(options))
    elif command == "collect":
        join_shards(top)
        collect_command(top, out)
    elif command == "show":
        show_command(top)
    else:
        report_command(top, out)


def collect_command(top: Path, out: Path | None) -> None:
    """Collect, and say what was found; what did not end well is listed with its reason."""
    path = top / "collected.h5" if out is None else out
    rows = collect(top, path)
    messages.show_runs(
        f"{top}: {summary(row.state for row in rows)}",
        [(row.run, row.state, row.error) for row in rows if row.error or row.state != "done"],
    )
    messages.note(f"{path}\n{path.with_suffix('.csv')}")


def join_shards(top: Path) -> None:
    """Join the parts of assays that were split, where all are there and no job has joined them."""
    for folder in sorted({part.parent.parent for part in top.rglob(PART)}):
        if not (folder / results.FILENAME).exists():
            from lrx.cli.commands import assay  # torch, which only joining needs

            try:
                assay.join(folder)
            except (ValueError, OSError) as error:
                messages.warn(f"{folder}: {error}")


def show_command(path: Path) -> None:
    """Print what a results file says, or that of a run folder; of a folder without one, where its results are.

    OSError and ValueError for what is none.
    """
    file = path / results.FILENAME if path.is_dir() else path
    if file.is_file():
        try:
            stored = results.read(file)
        except ValueError as error:
            raise ValueError(_table_of_runs(file) or str(error)) from error
        messages.show_file(stored)
    elif path.is_dir() and (commands := _files_of(path)) is not None:
        messages.show_lines(commands)
    else:
        raise FileNotFoundError(f"{file}: no such file; give a {results.FILENAME}, or a folder that has one")


def _files_of(folder: Path) -> list[str] | None:
    """The commands that show the results of the runs in a folder, and their report; None where there is no run."""
    try:
        runs = find_measured(folder)
    except ValueError:
        return None
    files = [file for run in runs for file in run.result_files]
    names = [os.path.relpath(file.parent) for file in files]
    commands = [f"  lrx show {shlex.quote(name)}" for name in names[:MOST_FILES]]
    more = [f"  and {len(names) - MOST_FILES:,} more"] if len(names) > MOST_FILES else []
    head = f"no {results.FILENAME} lies in this folder itself; its results:" if files else "nothing is measured yet"
    told = [head, *commands, *more, "all of it as one page, with curves and pictures:"]
    return [*told, f"  lrx report {shlex.quote(str(folder))}"]


def _table_of_runs(file: Path) -> str | None:
    """What to do with a file of `lrx collect` instead; None for others."""
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


def report_command(path: Path, out: Path | None) -> None:
    """Write the report of a path, and say where it is and what could not be read."""
    from lrx.report import page  # matplotlib and jinja2, which the other commands need not wait for

    written, faults = page.write(path, out)
    for fault in faults:
        messages.warn(fault)
    messages.note(str(written))

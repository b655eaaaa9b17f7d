"""Commands on what runs left behind, which need no config.

`lrx collect FOLDER [out=PATH]`, `lrx status FOLDER [--once]`, `lrx report PATH [out=PATH]`, `lrx show PATH`.
"""

from __future__ import annotations

from pathlib import Path

from lrx import console, results, shell
from lrx.collect import collect_command
from lrx.watch import status_command

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
    top = Path(folders[0]).expanduser()
    out = Path(options[0].removeprefix(option)).expanduser() if option == "out=" and options else None
    if command == "status":
        status_command(top, once=bool(options))
    elif command == "collect":
        join_shards(top)
        collect_command(top, out)
    elif command == "show":
        show_command(top)
    else:
        report_command(top, out)


def join_shards(top: Path) -> None:
    """Join the parts of assays that were split, where all are there and no job has joined them."""
    for folder in sorted({part.parent.parent for part in top.rglob("part.npz")}):
        if not (folder / results.FILENAME).exists():
            from lrx import assaying  # torch, which only joining needs

            try:
                assaying.join(folder)
            except (ValueError, OSError) as error:
                console.warn(f"{folder}: {error}")


def show_command(path: Path) -> None:
    """Print what a results file says, or that of a run folder. OSError and ValueError for what is none."""
    file = path / results.FILENAME if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file; give a {results.FILENAME}, or a folder that has one")
    console.show_file(results.read(file))


def report_command(path: Path, out: Path | None) -> None:
    """Write the report of a path, and say where it is and what could not be read."""
    from lrx.report import page  # matplotlib and jinja2, which the other commands need not wait for

    written, faults = page.write(path, out)
    for fault in faults:
        console.warn(fault)
    console.note(str(written))

"""Guard of files that a command replaces: a file that lrx did not write as that kind stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def check_target(path: Path, ending: str, is_ours: Callable[[Path], bool], *, setting: str = "out") -> None:
    """Check that a file may be written to a path, with this ending, and in place of none but an older one of its kind.

    is_ours: whether lrx wrote the file at a path as this kind. ValueError, in one line, when a path does not qualify.
    """
    if path.suffix.lower() != ending:
        raise ValueError(f"{setting}={path} must end in {ending}")
    if path.is_dir():
        raise ValueError(f"{setting}={path} is a folder; give a file in it, such as {path / ('lrx' + ending)}")
    if path.exists() and not (path.is_file() and is_ours(path)):
        raise ValueError(f"{path} is there and lrx did not write it; move it, or give another {setting}=...{ending}")


def has_near_start(text: str, *, within: int | None = None) -> Callable[[Path], bool]:
    """Return a test of files: whether this text is in their first bytes; `within` None for the very start."""
    wanted = text.encode()

    def is_ours(path: Path) -> bool:
        with path.open("rb") as file:
            return wanted in file.read(within or len(wanted))

    return is_ours

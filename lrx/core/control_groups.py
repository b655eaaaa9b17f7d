"""Control groups of Linux around this process, which limit its memory and its CPUs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")


def control_groups(controller: str, root: Path = ROOT) -> Iterator[tuple[int, Path]]:
    """Yield version (1 or 2) and folder of each group, from the process outwards; nothing on other systems.

    controller: `memory` or `cpu`.
    """
    for line in read(root / "proc/self/cgroup").splitlines():
        _, kinds, name = line.split(":", 2)
        if kinds == "":
            version, top = 2, root / "sys/fs/cgroup"
        elif controller in kinds.split(","):
            version, top = 1, root / "sys/fs/cgroup" / controller
        else:
            continue
        group = top / name.lstrip("/")
        for folder in (group, *(parent for parent in group.parents if parent.is_relative_to(top))):
            yield version, folder


def read(path: Path) -> str:
    """Return the text of a file without white space around it; nothing where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""

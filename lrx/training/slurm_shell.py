"""Interactive shell as the task of a Slurm step, as in `srun --pty --ntasks=4 bash`.

Its variables are those of a step of four tasks, but the other three shells had no terminal and are gone: what is typed
in it runs once. No variable says so, and a step that is started from it inherits all of them. But the process of the
task (SLURM_TASK_PID) is then a shell without a script that has a terminal, and no other task is.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePath

SHELLS = {"bash", "sh", "dash", "zsh", "ksh", "mksh", "fish", "tcsh", "csh", "xonsh", "nu"}


def in_slurm_shell(environment: Mapping[str, str], processes: Path = Path("/proc")) -> bool:
    """Return whether the Slurm task that this process belongs to is an interactive shell.

    processes: where Linux describes them; elsewhere, and where it is not to be read, False.
    """
    folder = processes / environment.get("SLURM_TASK_PID", "none")
    with suppress(OSError, ValueError, IndexError):
        words = (folder / "cmdline").read_bytes().decode().rstrip("\0").split("\0")
        terminal = int((folder / "stat").read_text().rpartition(")")[2].split()[4])  # 0 without one
        name, options = PurePath(words[0].removeprefix("-")).name, words[1:]
        typed = all(word.startswith("-") for word in options)
        return name in SHELLS and typed and terminal != 0
    return False

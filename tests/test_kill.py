"""SIGKILL while lrx works: what is there is whole, and the same command ends as if nothing had happened.

scripts/kill.py does the same many more times; tests/cli/test_resume.py kills whole processes, imports included.
"""

from __future__ import annotations

from pathlib import Path

from scripts.kill import kill_all


def test_commands_survive_kill(tmp_path: Path) -> None:
    tallies = kill_all(tmp_path, kills=1)
    assert [tally.command for tally in tallies] == [
        *("train run", "assay run", "assay paper", "assay codes", "collect outputs")
    ]
    for tally in tallies:
        assert tally.kills == 1
        assert tally.ends >= 1
    assert sum(tally.wholes for tally in tallies) > 0  # files were there to be read after a kill

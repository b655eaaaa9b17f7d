"""Whatever file is damaged, foreign or hostile: one line, exit status 2, nothing half-written, nothing harmed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.conftest import Lrx
from tests.support import bad_data, bad_runs, bad_weights

CASES = bad_data.OFFICIAL | bad_data.OWN
CASES |= bad_runs.RUNS | bad_runs.CHECKPOINTS | bad_weights.WEIGHTS | bad_runs.RESULTS | bad_runs.OWN_CONFIGS

# What a person may see before the refusal.
NOTES = ("preparing the data set", "lrx: warning: ")
# What a refused command may leave: how the run is, and caches of lists that are whole.
LEFT = ("status.json", ".lock", "list_attr_celeba.txt", "list_eval_partition.txt")


pytestmark = pytest.mark.filterwarnings("ignore:.*is not the file that was published")


def contents(folder: Path) -> dict[str, str]:
    """Each regular file below a folder, but for those that a refused command may leave, and the hash of its bytes."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(LEFT)
    }


@pytest.mark.parametrize("case", CASES)
def test_bad_file_is_one_line(case: str, lrx: Lrx, place: Path) -> None:
    make, words, expected = CASES[case]
    make(place)
    before = contents(place)
    done = lrx(*words)
    assert done.returncode == 2, done
    lines = [line for line in done.stderr.splitlines() if not line.startswith(NOTES)]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("lrx: ")
    for word in expected:
        assert word in lines[0], lines[0]
    assert contents(place) == before

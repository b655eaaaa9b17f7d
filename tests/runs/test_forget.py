"""Failed runs that are forgotten: no run below them, and no work since they were listed, goes with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrx.runs import plan, status
from lrx.runs.catalog import find_runs
from lrx.runs.forget import forget, forgettable


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    folder.mkdir()
    status.write(folder, status.Status("failed", "train", error="why"))
    return folder


@pytest.mark.parametrize("file", ["sweep/run/status.json", "a/b/c/checkpoint.pt", "run/result.h5", "plan.json"])
def test_failed_run_with_work_below_is_kept(file: str, failed: Path) -> None:
    (failed / file).parent.mkdir(parents=True, exist_ok=True)
    (failed / file).write_text("{}")
    (listed,) = (each for each in forgettable(find_runs(failed.parent), "failed") if each.run.folder == failed)
    assert listed.kept == (file if file == plan.FILENAME else str(Path(file).parent))


def test_work_since_the_listing_is_kept(failed: Path) -> None:
    (listed,) = forgettable(find_runs(failed.parent), "failed")
    assert not listed.kept
    (failed / "checkpoint.pt").touch()
    with pytest.raises(status.BusyError, match="was started again"):
        forget(listed.run)
    assert (failed / "checkpoint.pt").exists()

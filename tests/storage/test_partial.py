"""Results that are written one by one: what is kept of a file, and when it begins anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lrx.core.types import Array, AssayResult
from lrx.storage import results
from lrx.storage.partial import PartialResults

RUN = {"checkpoint_sha256": "a", "dataset_fingerprint": "b", "observations_fingerprint": "c", "code_sha256": "d"}


def result(value: float) -> AssayResult:
    return AssayResult({"x": Array(np.array([value]), ("latent",))}, {}, {"score": value})


def scores(path: Path) -> dict[str, float]:
    return {name: stored.scores["score"] for name, stored in results.read(path).assays.items()}


def test_results_of_the_same_run_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "result.h5"
    results.write(path, {"one": result(1)}, RUN)
    store = PartialResults(path, lambda: {**RUN, "wall_time_s": 2.0, "threads": 3})
    kept = store.get("one")
    assert kept is not None
    assert kept.scores == {"score": 1}
    store.put("two", result(2))
    assert scores(path) == {"one": 1, "two": 2}


@pytest.mark.parametrize("key", results.IDENTITY)
def test_results_of_another_run_are_replaced(tmp_path: Path, key: str) -> None:
    path = tmp_path / "result.h5"
    results.write(path, {"one": result(1), "two": result(2)}, RUN)
    store = PartialResults(path, lambda: {**RUN, key: "other"})
    assert store.get("one") is None
    assert scores(path) == {"one": 1, "two": 2}  # until there is a new result
    store.put("one", result(3))
    store.put("two", result(4))
    assert scores(path) == {"one": 3, "two": 4}
    assert {provenance[key] for provenance in results.read(path).provenance_of.values()} == {"other"}


@pytest.mark.parametrize("key", [None, "dataset_fingerprint", "checkpoint_sha256"])
def test_file_of_first_version_can_be_added_to(tmp_path: Path, key: str | None) -> None:
    """It names no code, and its fingerprint is that of the observations."""
    path = tmp_path / "result.h5"
    before = {"checkpoint_sha256": "a", "dataset_fingerprint": "c"} | ({key: "other"} if key else {})
    results.write(path, {"one": result(1)}, before)
    if key:
        with pytest.raises(ValueError, match=rf"holds results of {key} other, not"):
            results.write(path, {"two": result(2)}, RUN)
        return
    results.write(path, {"two": result(2)}, RUN)
    assert scores(path) == {"one": 1, "two": 2}

"""Reports of damaged results and run folders: a line for each fault, everything else is shown."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from rich.console import Console

from lrx.assays import catalog
from lrx.cli.console import tables
from lrx.core.config_text import flatten
from lrx.core.types import Array, AssayResult
from lrx.report import page, run_contents, run_summary
from lrx.runs.catalog import find_measured
from lrx.storage import results
from tests.report.test_page import AXES, Page, matrix_result, written

BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
MATRICES = (np.zeros((0, 0)), np.array([["a", "b"], ["c", "d"]]), np.full((2, 2), np.nan), np.ones(2), np.array(3.0))


def with_matrix(values: np.ndarray) -> AssayResult:
    whole = matrix_result()
    axes = AXES[: values.ndim]
    labels = dict(zip(axes, map(np.arange, values.shape), strict=True))
    return AssayResult({"matrix": Array(values, axes)}, labels, whole.scores, whole.settings)


def test_damaged_results_beside_whole_ones(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number, name in enumerate(3 * [name for name in catalog.descriptions() if name != "codes"]):
        damaged = with_matrix(MATRICES[number % len(MATRICES)])
        own = {"trained_steps": float(random.choice([np.nan, np.inf, -1]))} if number % 2 else {}
        whole = AssayResult({}, {}, {"well": 7.0})
        results.write(tmp_path / "result.h5", {name: damaged, "mine": whole}, own)
        out, faults = page.write(tmp_path / "result.h5", None)
        assert any(f"its {name} " in fault and "\n" not in fault for fault in faults), (number, name)
        assert "well 7" in Page(out).text
        console = Console(width=80, record=True, quiet=True)
        for part in tables.file_parts(results.read(tmp_path / "result.h5"), 80, whole=True):
            console.print(part)
        (tmp_path / "result.h5").unlink()


def test_sweep_with_matrix_that_cannot_be_drawn(tmp_path: Path) -> None:
    for number, values in enumerate(MATRICES[:2]):
        written(tmp_path / f"bad-{number}", {"response_matrix": with_matrix(values)})
    written(tmp_path / "well", {"response_matrix": matrix_result()})
    out, faults = page.write(tmp_path, None)
    assert [fault.partition(":")[0] for fault in faults] == ["bad-0", "bad-1"]
    assert len([image for image in Page(out).images if "A heat map" in image["alt"]]) == 1


def test_config_with_aliases_is_refused() -> None:
    with pytest.raises(ValueError, match="aliases"):
        flatten(BOMB)
    with pytest.raises(ValueError, match="characters"):
        flatten("a" * (2**20 + 1))


def test_provenance_that_is_a_list(tmp_path: Path) -> None:
    path = written(tmp_path, {"response_matrix": matrix_result()})
    with h5py.File(path, "r+") as file:
        file["response_matrix"].attrs["provenance"] = "[1, 2]"
    _, faults = page.write(path, None)
    assert len(faults) == 1
    assert "the provenance of response_matrix is no mapping" in faults[0]


def test_log_rows_without_numbers(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seed: 1")
    (tmp_path / "status.json").write_text('{"state": "done", "step": Infinity}')
    rows = '{"step": NaN, "loss": 1}\n{"step": 2, "loss": 3, "kl": "x"}\n{"step": Infinity, "loss": 1}\n'
    (tmp_path / "metrics.jsonl").write_text(rows + '{"step": 4, "loss": NaN}\n')
    contents = run_contents.read(find_measured(tmp_path)[0])
    assert [row["step"] for row in contents.curves] == [2.0, 4.0]
    assert "3 of 4 rows hold what is no number" in contents.faults[0]
    assert run_summary.summarize(contents)["training"] == "trained for 4 steps"
    assert len(Page(page.write(tmp_path, None)[0]).images) == 1

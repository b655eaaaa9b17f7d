"""Texts of files are escaped."""

from __future__ import annotations

import os
from pathlib import Path

from lrx.core.types import AssayResult
from lrx.report import page
from lrx.runs import status
from tests.conftest import Lrx
from tests.report.test_page import Page, matrix_result, written

SCRIPT = "<script>alert(1)</script>"


def test_markup_in_files_is_escaped(tmp_path: Path) -> None:
    hostile = matrix_result(names=(SCRIPT, '" onerror="alert(2)'))
    hostile = AssayResult(hostile.arrays, hostile.coordinates, {SCRIPT.replace("/", ""): 1.0}, {**hostile.settings})
    result = AssayResult(hostile.arrays, hostile.coordinates, hostile.scores, {**hostile.settings, "remark": SCRIPT})
    folder = tmp_path / "<img src=x onerror=alert(3)>"
    facts = {
        "config": f"note: {SCRIPT}",
        "checkpoint_config": f"model: {{_target_: '{SCRIPT}'}}",
        "dataset": f"'{SCRIPT}",
    }
    written(folder, {"response_matrix": result, "<b>own": matrix_result()}, **facts)
    status.write(folder, status.Status("failed", "assay", (f"name={SCRIPT}",), error=SCRIPT))
    out, faults = page.write(folder, None)
    assert not faults
    report = Page(out)
    report.assert_stands_alone()
    assert len(report.scripts) == 1
    assert "alert" not in report.scripts[0]
    assert report.text.count(SCRIPT) >= 5
    assert "<img src=x onerror=alert(3)>" in report.text
    assert "<b>own" in report.text
    (policy,) = [tag["content"] for name, tag in report.tags if tag.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-")


def test_name_that_is_not_utf8(lrx: Lrx, place: Path) -> None:
    (place / "outputs/train/run").rename(os.fsdecode(bytes(place) + b"/outputs/train/run\xff"))
    for path in ("outputs", "outputs/train/run\udcff"):
        assert lrx("report", path).returncode == 0
    assert "run?" in (place / "outputs/report.html").read_text()

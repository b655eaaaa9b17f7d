"""Means over seeds on the page of a sweep: aligned matrices, both errors, marks of remarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lrx.report import page
from lrx.report.sweep_runs import MATRICES, read_run
from lrx.report.sweep_seeds import seed_views
from lrx.runs.catalog import find_measured
from tests.report.test_page import Page
from tests.runs.test_over_seeds import D, model
from tests.runs.test_seeds_table import orders, write_run

MAIN = [("response_matrix", "num_informative"), ("conditioned_response", "cds"), ("metrics", "mig")]


def sweep(top: Path) -> Path:
    """Three permuted copies of a model for each of two betas; one has a remark."""
    for beta in ("1.0", "4.0"):
        for seed, order in enumerate(orders(3)):
            one = model(seed, order, remark="no latent is informative" if (beta, seed) == ("4.0", 1) else None)
            write_run(top / f"{beta}-{seed}", seed, dict(one.assays), model_lines=f"beta: {beta}")
    return top


def test_groups_have_both_errors_and_matrices(tmp_path: Path) -> None:
    rows = [row for row, _ in map(read_run, find_measured(sweep(tmp_path))) if row is not None]
    (first, second), faults = seed_views(rows, MAIN)
    assert not faults
    assert [first.label, second.label] == ["beta 1.0", "beta 4.0"]
    assert [cell.text for cell in first.scores] == ["3 ± 0", "0.6 ± 0.058 (0.017)", "–"]
    assert [cell.value for cell in first.scores] == [3, pytest.approx(0.6), None]
    assert [cell.text for cell in second.scores] == ["3 ± 0 *", "0.6 ± 0.058 (0.017)", "–"]
    names = "3 seeds (1.0-0, 1.0-1, 1.0-2)"
    aligned = "aligned by codes of 200 images, with a mean agreement of 1."
    assert first.facts == f"{names}; latents are numbered as in 1.0-0, {aligned}"
    assert len(first.pictures) == 2 * len(MATRICES)


def test_page_shows_means_over_seeds(tmp_path: Path) -> None:
    out, faults = page.write(sweep(tmp_path), None)
    assert not faults
    report = Page(out)
    report.assert_stands_alone()
    text = " ".join(report.text.split())
    assert "beta 4.0 3 ± 0 *" in text
    assert "0.6 ± 0.058 (0.017)" in text
    alts = [image["alt"] for image in report.images]
    assert "Latent response matrix, mean over seeds, of beta 1.0." in alts
    assert "Conditioned response matrix, standard error between seeds, of beta 4.0." in alts


def test_runs_measured_otherwise_are_no_group(tmp_path: Path) -> None:
    for seed, facts in enumerate(({"config": "assay: {num_samples: 16}"}, {"config": "assay: {num_samples: 32}"})):
        write_run(tmp_path / "s" / f"{seed}", seed, dict(model(seed, np.arange(D)).assays), **facts)
    report = Page(page.write(tmp_path / "s", None)[0])
    assert "Means over seeds" not in report.text

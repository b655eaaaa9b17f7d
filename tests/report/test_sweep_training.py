"""Training curves of a sweep: which runs are drawn, and how groups are told apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from lrx.report import pictures, sweep_training
from lrx.report.sweep_runs import SweepRun


def test_curves_of_many_groups_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(pictures, "as_picture", lambda figure, alt, caption: drawn.append(figure) or caption)
    rows = [
        SweepRun(
            str(place), "done", {}, {}, {}, "", [], curves=[{"step": s, "loss": place + s} for s in (1.0, 2.0, 3.0)]
        )
        for place in range(12)
    ]
    rows[1:8] = [replace(row, curves=[]) for row in rows[1:8]]  # as of runs that failed
    caption, faults = sweep_training.draw_curves(rows, [f"g{place}" for place in range(12)])
    assert faults == []
    axes = drawn[0].axes[0]
    looks = [(line.get_color(), line.get_linestyle()) for line in axes.lines]
    assert len({*looks}) == len(looks) == 5
    legend = axes.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["g0", "g8", "g9", "g10", "g11"]
    assert [(line.get_color(), line.get_linestyle()) for line in legend.get_lines()] == looks
    assert "groups" not in str(caption)
    caption, _ = sweep_training.draw_curves([rows[0]] * 12, [f"g{place}" for place in range(12)])
    assert str(caption).endswith("8 of 12 groups are named.")


@pytest.mark.parametrize("period", [2, 30])
def test_curves_are_of_every_group(period: int) -> None:
    curves = [{"step": step, "loss": step} for step in (1.0, 2.0)]
    rows = [SweepRun(str(place), "done", {}, {}, {}, "", [], curves=curves) for place in range(120)]
    groups = [f"g{place % period}" for place in range(120)]  # as of -m seed=0,1,... model.beta=1,4
    picture, _ = sweep_training.draw_curves(rows, groups)
    assert picture is not None
    assert picture.alt == f"Training curves of 60 runs: {', '.join(groups[:period])}."
    assert "60 of 120 runs." in picture.caption

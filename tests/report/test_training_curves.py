"""Training curves: panels of the scalars of a log."""

from __future__ import annotations

import pytest

from lrx.report import training_curves


@pytest.mark.parametrize(("scalars", "label"), [(24, "step"), (30, "step; 24 of 30 scalars are drawn")])
def test_scalars_that_are_left_out_are_counted(scalars: int, label: str) -> None:
    names = ["loss", *(f"part_{number}" for number in range(scalars - 1))]
    rows = [{"step": float(step), **{name: step + place / 7 for place, name in enumerate(names)}} for step in range(4)]
    panels = training_curves.figure(rows).axes
    assert len(panels) == 24
    assert panels[-1].get_xlabel() == label

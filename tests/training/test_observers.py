"""Observers of a run: closed in every case."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from lrx.data.helix import double_helix
from lrx.training.loop import train
from lrx.training.observers import Observers
from tests.support.observers import Callbacks
from tests.training.test_loop import SETTINGS, Killed, helix_model, kill_at


def test_observers_are_closed_in_every_case(tmp_path: Path) -> None:
    """Once each: after the last step, after an error, and where the checkpoint cannot be read."""
    first, second = Callbacks(), Callbacks(on_step=kill_at(6))
    data = double_helix(num_points=256, noise=0.1, seed=0)
    for number, observer in enumerate((Observers(first), Observers(first, second), Observers(second, first)), start=1):
        path = tmp_path / f"{number}.pt"
        if number == 3:
            path.write_text("not a checkpoint")
        with nullcontext() if number == 1 else pytest.raises((Killed, ValueError)):
            train(helix_model(), data, SETTINGS, seed=3, path=path, observer=observer)
        assert (first.closed, second.closed) == (number, number - 1)


def test_observers_close_all_where_one_fails() -> None:
    class Failing(Callbacks):
        def close(self) -> None:
            raise OSError("disk full")

    first, last = Callbacks(), Callbacks()
    with pytest.raises(OSError, match="disk full"):
        Observers(first, Failing(), last).close()
    assert (first.closed, last.closed) == (1, 1)

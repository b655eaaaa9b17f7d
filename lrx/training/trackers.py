"""Observers for third-party viewers: TensorBoard, and Weights & Biases offline. Imported only when asked for.

metrics.jsonl and metrics.csv are always written as well (lrx.training.metrics_log).
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Sequence
from pathlib import Path

from lrx.core.checksum import sha256
from lrx.training import metrics_log
from lrx.training.observers import Observer, Row


class TensorBoard:
    """Event files in `<run folder>/tensorboard`: tensorboard --logdir outputs/train."""

    def __init__(self, folder: Path, config: str) -> None:
        self._run, self._folder, self._config = folder, folder / "tensorboard", config

    def start(self, step: int) -> None:
        """Open a file whose events replace those after this step; the first one repeats the rows before it."""
        from torch.utils.tensorboard import SummaryWriter  # takes seconds to import

        is_first = not any(self._folder.glob("events.*"))
        self._writer = SummaryWriter(str(self._folder), purge_step=None if is_first else step + 1)
        if is_first:
            text = "\n".join(f"    {line}" for line in self._config.splitlines())  # four blanks: as it is
            self._writer.add_text("config", text)
            _replay(self, self._run, step)

    def log(self, step: int, row: Row) -> None:
        """Add a point to each curve and flush: a checkpoint of this step may follow, then a kill."""
        for name, value in row.items():
            self._writer.add_scalar(f"train/{name}", value, step)
        self._writer.flush()

    def step(self, n: int) -> None:
        """Do nothing: only logged steps have points."""

    def close(self) -> None:
        """Close the event file."""
        if hasattr(self, "_writer"):
            self._writer.close()


class WeightsAndBiases:
    """Offline run in `<run folder>/wandb`, for `wandb sync`; every start of one run folder has the same id.

    A run that is synced replaces an earlier one of the same id (github.com/wandb/wandb/issues/3841). So a resumed run
    is logged again from its first step, and the files of earlier starts are removed.
    """

    def __init__(self, folder: Path, config: str) -> None:
        self._folder, self._config = folder, config

    def start(self, step: int) -> None:
        """Open the run without a network, with the rows up to this step."""
        import wandb

        for earlier in (self._folder / "wandb").glob("offline-run-*"):
            shutil.rmtree(earlier)
        name = sha256(str(self._folder.resolve()))[:12]
        self._run = wandb.init(
            project="lrx",
            id=name,
            name=self._folder.name,
            dir=str(self._folder),
            config={"config": self._config, "resumed_after": step},
            mode="offline",
            settings=wandb.Settings(silent=True, console="off"),
        )
        _replay(self, self._folder, step)

    def log(self, step: int, row: Row) -> None:
        """Add a point to each curve."""
        self._run.log({f"train/{name}": value for name, value in row.items()}, step=step)

    def step(self, n: int) -> None:
        """Do nothing: only logged steps have points."""

    def close(self) -> None:
        """Finish the run."""
        if hasattr(self, "_run"):
            self._run.finish()


def _replay(tracker: Observer, folder: Path, step: int) -> None:
    """Log the rows of the run's own metrics up to a step."""
    for row in metrics_log.read(folder):
        if row["step"] <= step:
            tracker.log(int(row["step"]), {name: value for name, value in row.items() if name != "step"})


TRACKERS: dict[str, type[TensorBoard] | type[WeightsAndBiases]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
}


def make_trackers(names: object, folder: Path, config: str) -> list[Observer]:
    """Return the trackers that `track` lists. ValueError for a name that is unknown or not installed."""
    if isinstance(names, str) or not isinstance(names, Sequence) or not all(name in TRACKERS for name in names):
        raise ValueError(f"track must list some of {', '.join(TRACKERS)}, as in track=[tensorboard], not {names!r}")
    absent = [name for name in names if importlib.util.find_spec(name) is None]
    if absent:
        raise ValueError(f"track={absent[0]} needs a package: pip install -e '.[{absent[0]}]' in the checkout of lrx")
    return [TRACKERS[name](folder, config) for name in names]

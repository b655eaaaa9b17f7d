"""Training curves in other people's viewers: TensorBoard, and Weights & Biases offline. Imported only when asked for.

metrics.jsonl and metrics.csv are written whatever else follows a run (lrx.training.metrics_log).
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

from lrx.training import metrics_log


class Tracker(Protocol):
    """What follows a run."""

    def start(self, step: int) -> None:
        """The run begins, or goes on, after so many steps; what was told of later ones is void."""
        ...

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        """What was measured at a step."""
        ...

    def close(self) -> None:
        """Nothing more comes."""
        ...


class TensorBoard:
    """Event files in `<run folder>/tensorboard`: tensorboard --logdir outputs/train."""

    def __init__(self, folder: Path, config: str) -> None:
        self._run, self._folder, self._config = folder, folder / "tensorboard", config

    def start(self, step: int) -> None:
        """Open a file whose events after this step replace those of before; the first one tells what came before."""
        from torch.utils.tensorboard import SummaryWriter  # takes seconds to import

        told = any(self._folder.glob("events.*"))
        self._writer = SummaryWriter(str(self._folder), purge_step=step + 1 if told else None)
        if not told:
            text = "\n".join(f"    {line}" for line in self._config.splitlines())  # four blanks: as it is
            self._writer.add_text("config", text)
            _tell_again(self, self._run, step)

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        """Add a point to each curve, which a kill does not lose: a checkpoint of this step may follow."""
        for name, value in scalars.items():
            self._writer.add_scalar(f"train/{name}", value, step)
        self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        if hasattr(self, "_writer"):
            self._writer.close()


class WeightsAndBiases:
    """An offline run in `<run folder>/wandb`, for `wandb sync`; each start of one run has the same identity.

    A run that was synced later replaces an earlier one of its identity (github.com/wandb/wandb/issues/3841), so a run
    that goes on is told from its first step, and what an earlier start wrote is removed.
    """

    def __init__(self, folder: Path, config: str) -> None:
        self._folder, self._config = folder, config

    def start(self, step: int) -> None:
        """Open the run without a network, with the rows up to this step."""
        import wandb

        for before in (self._folder / "wandb").glob("offline-run-*"):
            shutil.rmtree(before)
        name = hashlib.sha256(str(self._folder.resolve()).encode()).hexdigest()[:12]
        self._run = wandb.init(
            project="lrx",
            id=name,
            name=self._folder.name,
            dir=str(self._folder),
            config={"config": self._config, "resumed_after": step},
            mode="offline",
            settings=wandb.Settings(silent=True, console="off"),
        )
        _tell_again(self, self._folder, step)

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        self._run.log({f"train/{name}": value for name, value in scalars.items()}, step=step)

    def close(self) -> None:
        """Write what is left."""
        if hasattr(self, "_run"):
            self._run.finish()


def _tell_again(tracker: Tracker, folder: Path, step: int) -> None:
    """Tell a tracker the rows up to a step that the run's own curves have kept."""
    for row in metrics_log.read(folder):
        if row["step"] <= step:
            tracker.log(int(row["step"]), {name: value for name, value in row.items() if name != "step"})


TRACKERS: dict[str, type[TensorBoard] | type[WeightsAndBiases]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
}


class Trackers:
    """Several trackers as one, for a `with` block. ValueError for a name that is unknown or not installed."""

    def __init__(self, names: object, folder: Path, config: str) -> None:
        if isinstance(names, str) or not isinstance(names, Sequence) or not all(name in TRACKERS for name in names):
            raise ValueError(f"track must list some of {', '.join(TRACKERS)}, as in track=[tensorboard], not {names!r}")
        absent = [name for name in names if importlib.util.find_spec(name) is None]
        if absent:
            raise ValueError(
                f"track={absent[0]} needs a package: pip install -e '.[{absent[0]}]' in the checkout of lrx"
            )
        self._all: list[Tracker] = [TRACKERS[name](folder, config) for name in names]

    def __enter__(self) -> Trackers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for tracker in self._all:
            tracker.close()

    def start(self, step: int) -> None:
        """See Tracker."""
        for tracker in self._all:
            tracker.start(step)

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        """See Tracker."""
        for tracker in self._all:
            tracker.log(step, scalars)

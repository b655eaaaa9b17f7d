"""`lrx train`: train the model of a config in its run folder, or resume there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np
import torch

from lrx.cli.build import build_model, check_folder, checked_seed, open_dataset, run_session
from lrx.cli.config import Config
from lrx.cli.console import messages
from lrx.cli.console.progress import TrainProgress
from lrx.cli.finished import check_trained_on, finished_training
from lrx.core.devices import choose_device
from lrx.core.malloc import keep_freed_memory
from lrx.core.paths import CHECKPOINT
from lrx.core.threads import set_threads
from lrx.core.types import Dataset, Trainable
from lrx.core.validation import SettingError
from lrx.data import splits
from lrx.models.autoencoder import NetworkAutoencoder
from lrx.runs import run_folder, status
from lrx.storage.atomic import atomic_path
from lrx.training import checkpoint
from lrx.training.distributed import Ranks, process_group
from lrx.training.loop import DivergedError, TrainSettings, train
from lrx.training.metrics_log import MetricsLog, last_loss
from lrx.training.observers import Observer, Observers, Row
from lrx.training.trackers import make_trackers

SPLIT = "split.npz"  # part of each image, where training draws from one part


def train_command(config: Config, folder: Path) -> float | None:
    """Train in the run folder, or resume there; return the last logged loss. A finished run is left as it is.

    Of several processes (lrx.training.distributed), rank 0 writes the folder; its path holds for all.
    """
    keep_freed_memory()
    set_threads(os.environ)
    settings = cast(TrainSettings, config.build("trainer"))
    with process_group(choose_device(settings.device, "trainer.device")) as (ranks, device):
        folder = Path(ranks.broadcast(str(folder)))
        flat = config.flat()
        ranks.check_equal_across_ranks(run_folder.identity(flat), "start them all with the same command")
        check_folder(folder, config)
        finished = finished_training(flat, folder, settings.steps)
        ranks.check_equal_across_ranks(
            {"whether the run is finished": str(finished is not None)}, "they must see the same run folder"
        )
        if finished is None:
            _train(config, folder, settings, ranks, device)
        elif ranks.is_main:
            _check_data(config, folder / CHECKPOINT, finished)
            can_grow = settings.schedule == "constant"
            remedy = f"trainer.steps={2 * settings.steps} trains on" if can_grow else "nothing to do"
            messages.note(f"{folder} is finished ({settings.steps} steps); {remedy}")
        return last_loss(folder)


def _check_data(config: Config, path: Path, trained: checkpoint.Checkpoint) -> None:
    """Check that a finished run was trained on the data that the config describes; ValueError if it was not.

    Data that is not at hand any more is not asked for.
    """
    try:
        dataset = splits.part(open_dataset(config), str(config.value("split")))
    except FileNotFoundError as error:
        messages.note(f"{path} is not compared with its data: {error}")
        return
    check_trained_on(path, trained, dataset)


def _train(config: Config, folder: Path, settings: TrainSettings, ranks: Ranks, device: torch.device) -> None:
    """Build data set and model, and train; rank 0 locks the run folder and writes everything in it."""
    if settings.precision == "tf32" and device.type != "cuda" and ranks.is_main:
        messages.warn("trainer.precision=tf32 has no effect on the CPU")
    all_data = open_dataset(config)
    dataset = splits.part(all_data, str(config.value("split")))
    ranks.check_equal_across_ranks(
        {"the fingerprint of the data": dataset.fingerprint}, "they must read the same data set"
    )
    model = build_model(config, dataset).to(device)
    assert isinstance(model, Trainable)

    def fit(observer: Observer | None) -> None:
        train(
            model,
            dataset,
            settings,
            seed=checked_seed(config),
            path=folder / CHECKPOINT,
            config=config.text,
            ranks=ranks,
            observer=observer,
        )

    if not ranks.is_main:
        with _names_of_keys(config):
            fit(None)
        return
    trackers = make_trackers(config.plain("track"), folder, config.text)
    before = status.read(folder)
    with run_session(config, folder, "train") as session, _names_of_keys(config):
        if before is not None and before.step and before.threads not in (0, torch.get_num_threads()):
            messages.note(
                f"torch computes with {torch.get_num_threads()} threads here, and did with {before.threads} before: "
                "weights may differ by rounding from those of an undisturbed run"
            )
        run_folder.write_config(folder, config.text)
        if dataset is not all_data:
            _write_split(folder, all_data)
        progress = TrainProgress(settings.steps, settings.batch_size, compiles=settings.compiles(device))
        fit(Observers(MetricsLog(folder), *trackers, progress, StatusUpdates(session, settings.steps, progress)))
    kind = f", reconstruction {model.reconstruction}" if isinstance(model, NetworkAutoencoder) else ""
    precision = checkpoint.load(folder / CHECKPOINT).data.get("precision")  # none in one of 0.1.0 that was at its end
    kind += f", {precision}" if precision else ""
    messages.note(f"trained {settings.steps} steps on {dataset.name} ({dataset.source}){kind}: {folder / CHECKPOINT}")


def _write_split(folder: Path, dataset: Dataset) -> None:
    """Store the part that each image of the data set belongs to."""
    with atomic_path(folder / SPLIT) as path, path.open("wb") as file:
        np.savez_compressed(file, part=splits.codes(dataset).numpy())


class StatusUpdates:
    """Observer that keeps status.json up to date: at each log, and at the step where training stops."""

    def __init__(self, session: status.Session, steps: int, progress: TrainProgress) -> None:
        self._session, self._steps, self._progress, self._done = session, steps, progress, 0

    def start(self, step: int) -> None:
        """Write where training starts."""
        self._done = step
        self._session.update(step=step, steps=self._steps)

    def log(self, step: int, row: Row) -> None:
        """Write step, rate and time left."""
        self._session.update(step=step, rate=self._progress.rate, seconds_left=self._progress.seconds_left)

    def step(self, n: int) -> None:
        """Remember the step."""
        self._done = n

    def close(self) -> None:
        """Write the last step, which need not be a logged one."""
        if self._done > self._session.status.step:
            self._session.update(step=self._done)


@contextmanager
def _names_of_keys(config: Config) -> Iterator[None]:
    """Put the group of a setting, `trainer` or `model`, before those that errors of training name."""
    try:
        yield
    except DivergedError as error:
        raise DivergedError(re.sub(r"\b(lr|clip)=", r"trainer.\1=", str(error))) from error
    except SettingError as error:
        name, flat = re.split(r"\W", str(error), maxsplit=1)[0], config.flat()
        groups = [group for group in ("trainer", "model", "network") if f"{group}.{name}" in flat]
        raise ValueError(f"{groups[0] if groups else 'trainer'}.{error}") from error

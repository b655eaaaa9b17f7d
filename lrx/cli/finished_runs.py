"""Finished runs of a large sweep, by the checks of `lrx train` and `lrx assay` on flat configs.

Each data set is opened once for all jobs that name it alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from lrx.cli.build import open_dataset
from lrx.cli.commands.assay import measured_part
from lrx.cli.config import Config
from lrx.cli.console import messages
from lrx.cli.finished import check_trained_on, finished_training, has_result
from lrx.cli.flat_configs import FlatConfigs, Words
from lrx.cli.task import UserError, following_assay
from lrx.core.checksum import file_sha256
from lrx.core.config_text import flatten, names_foreign_class
from lrx.core.paths import CHECKPOINT
from lrx.core.types import Dataset
from lrx.data import splits
from lrx.runs import run_folder, status
from lrx.training import checkpoint
from lrx.training.metrics_log import last_loss

Flat = Mapping[str, str]
OTHER_KEYS = re.compile(r"\$\{(?!oc\.env:)")  # by which a data set may differ though its keys read alike


class FinishedRuns:
    """Runs of the jobs of one command, `train` or `assay`."""

    def __init__(self, command: str, jobs: FlatConfigs) -> None:
        self._command, self._jobs = command, jobs
        self._datasets: dict[tuple[tuple[str, ...], ...], Dataset | None] = {}
        self._following: dict[tuple[str, ...], tuple[Config, Flat, Path]] = {}

    def result(self, words: Words) -> tuple[bool, float | None]:
        """Return whether a job is finished, with the last loss of a training."""
        folder = self._jobs.folder(words)
        state = status.read(folder)
        if state is None or state.state != "done" or state.command != self._command:
            return False, None
        try:
            flat = self._jobs.flat(words)
            if flat is None:
                return False, None
            run_folder.check_same(folder, flat)
            if self._command == "train":
                return self._is_trained(words, flat, folder), last_loss(folder)
            path = checkpoint.find(flat["ckpt"])
            return self._is_measured(lambda: self._jobs.config(words), flat, folder, path, checkpoint.load(path)), None
        except (*UserError, LookupError):  # the job itself says what is wrong
            return False, None

    def _is_trained(self, words: Words, flat: Flat, folder: Path) -> bool:
        """Return whether a training and the assay after it are finished. ValueError for other data."""
        trained = finished_training(flat, folder, int(flat["trainer.steps"]))
        if trained is None:
            return False
        path = folder / CHECKPOINT

        def opened() -> Dataset | None:
            config = self._jobs.config(words)
            try:
                return splits.part(open_dataset(config), str(config.value("split")))
            except FileNotFoundError as error:
                messages.note(f"{path} is not compared with its data: {error}")
                return None

        dataset = self._dataset((_about_data(flat),), opened)
        if dataset is not None:
            check_trained_on(path, trained, dataset)
        then = tuple(value for key, value in flat.items() if key == "then" or key.startswith("then."))
        if not then or then[0] in run_folder.OFF:
            return True
        if then not in self._following:
            config, inner = following_assay(self._jobs.config(words).value("then"), folder)
            self._following[then] = config, config.flat(), inner.relative_to(folder)
        config, after, name = self._following[then]
        return self._is_measured(lambda: config, {**after, "ckpt": str(folder)}, folder / name, path, trained)

    def _is_measured(
        self, config: Callable[[], Config], flat: Flat, folder: Path, path: Path, trained: checkpoint.Checkpoint
    ) -> bool:
        """Return whether an assay is finished; a part of one, and one of foreign code, is taken as unfinished."""
        run_folder.check_same(folder, flat)
        about = {key: str(value) for key, value in flatten(trained.config, split_lists=True).items()}
        if flat["shard"] != "None" or flat["codes"] != "None" or names_foreign_class(about):
            return False

        def opened() -> Dataset:
            asked = config()
            stored = asked.stored(trained.config, override="dataset")
            return splits.part(open_dataset(stored), measured_part(asked, stored))

        dataset = self._dataset((_about_data(about), _about_data(flat)), opened)
        return dataset is not None and has_result(flat, folder, {"checkpoint": file_sha256(path)}, dataset)

    def _dataset(self, about: tuple[tuple[str, ...], ...], opened: Callable[[], Dataset | None]) -> Dataset | None:
        if about not in self._datasets:
            self._datasets[about] = opened()
        return self._datasets[about]


def _about_data(flat: Flat) -> tuple[str, ...]:
    """Return what a config says of its data. ValueError where that depends on other keys."""
    lines = tuple(f"{key}={value}" for key, value in flat.items() if key == "split" or key.startswith("dataset."))
    if any(map(OTHER_KEYS.search, lines)):
        raise ValueError("the data set depends on other keys")
    return lines

"""Finished runs of a large sweep, by the checks of `lrx train` and `lrx assay` on flat configs.

Each data set is opened once for all jobs that name it alike. What a result says of its checkpoint is not asked of the
checkpoint again, where its SHA-256 is the same: torch takes milliseconds to read one.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig, open_dict

from lrx.cli.build import open_dataset
from lrx.cli.commands.assay import measured_part
from lrx.cli.config import Config
from lrx.cli.console import messages
from lrx.cli.finished import CHECKPOINT_ENTRIES, check_trained_on, finished_training, has_result, read_provenance
from lrx.cli.sweep_configs import JobConfigLoader
from lrx.cli.task import UserError, following_assay
from lrx.core.checksum import file_sha256
from lrx.core.config_text import flatten, names_foreign_class
from lrx.core.paths import CHECKPOINT
from lrx.core.types import Dataset
from lrx.data import splits
from lrx.runs import run_folder, status
from lrx.runs.sweep_folder import SweepFolder
from lrx.storage import results
from lrx.training import checkpoint
from lrx.training.metrics_log import last_loss

Flat = Mapping[str, str]
OTHER_KEYS = re.compile(r"\$\{(?!oc\.env:)")  # by which a data set may differ though its keys read alike


class FinishedRuns:
    """Runs of the jobs of one sweep, of the command `train` or `assay`."""

    def __init__(self, loader: JobConfigLoader, sweep: DictConfig, runs: SweepFolder) -> None:
        self._loader, self._sweep, self._runs = loader, sweep, runs
        self._command = str(sweep.hydra.job.config_name)
        self._datasets: dict[tuple[tuple[str, ...], ...], Dataset | None] = {}
        self._following: dict[tuple[str, ...], tuple[Config, Flat, Path]] = {}
        # of one run, several questions are asked
        self._sha256 = functools.lru_cache(maxsize=1)(file_sha256)
        self._provenance = functools.lru_cache(maxsize=1)(read_provenance)

    def result(self, words: Sequence[str]) -> tuple[bool, float | None]:
        """Return whether a job is finished, with the last loss of a training."""
        name = self._runs.find(words)
        folder = self._runs.folder / (name or "")
        state = status.read(folder) if name else None
        if state is None or state.state != "done" or state.command != self._command:
            return False, None
        try:
            choices, own = self._loader.shared(self._sweep)
            flat = choices.flat([*own, *words])
            if flat is None:
                return False, None
            if self._command == "train":
                return self._is_trained(words, flat, folder), last_loss(folder)
            path = checkpoint.find(flat["ckpt"])
            return self._is_measured(lambda: self._config(words), flat, folder, path, None), None
        except (*UserError, LookupError):  # the job itself says what is wrong
            return False, None

    def _config(self, words: Sequence[str]) -> Config:
        """Compose the config of a job."""
        node = self._loader.load_sweep_config(self._sweep, list(words))
        choices = dict(node.hydra.runtime.choices)
        with open_dict(node):
            del node["hydra"]
        return Config(node, choices, tuple(words))

    def _is_trained(self, words: Sequence[str], flat: Flat, folder: Path) -> bool:
        """Return whether a training and the assay after it are finished. ValueError for other data."""
        run_folder.check_same(folder, flat)
        path, after = folder / CHECKPOINT, self._after(words, flat, folder)
        trained = finished_training(
            flat, folder, int(flat["trainer.steps"]), lambda: self._checkpoint(path, after and after[2])
        )
        if trained is None:
            return False

        def opened() -> Dataset | None:
            config = self._config(words)
            try:
                return splits.part(open_dataset(config), str(config.value("split")))
            except FileNotFoundError as error:
                messages.note(f"{path} is not compared with its data: {error}")
                return None

        dataset = self._dataset((_about_data(flat),), opened)
        if dataset is not None:
            check_trained_on(path, trained, dataset)
        if after is None:
            return True
        config, flat_after, measured = after
        return self._is_measured(lambda: config, {**flat_after, "ckpt": str(folder)}, measured, path, trained)

    def _after(self, words: Sequence[str], flat: Flat, folder: Path) -> tuple[Config, Flat, Path] | None:
        """Return the assay that follows a training, its config also flat, and its folder; None without one."""
        then = tuple(value for key, value in flat.items() if key == "then" or key.startswith("then."))
        if not then or then[0] in run_folder.OFF:
            return None
        if then not in self._following:
            config, inner = following_assay(self._config(words).value("then"), folder)
            self._following[then] = config, config.flat(), inner.relative_to(folder)
        config, flat_after, name = self._following[then]
        return config, flat_after, folder / name

    def _is_measured(
        self, config: Callable[[], Config], flat: Flat, folder: Path, path: Path, known: checkpoint.Checkpoint | None
    ) -> bool:
        """Return whether an assay is finished; a part of one, and one of foreign code, is taken as unfinished."""
        digest = self._sha256(path)
        run_folder.check_same(folder, flat, inputs={"checkpoint": digest})
        trained = known or self._checkpoint(path, folder)
        about = {key: str(value) for key, value in flatten(trained.config, split_lists=True).items()}
        if flat["shard"] != "None" or flat["codes"] != "None" or names_foreign_class(about):
            return False

        def opened() -> Dataset:
            asked = config()
            stored = asked.stored(trained.config, override="dataset")
            return splits.part(open_dataset(stored), measured_part(asked, stored))

        dataset = self._dataset((_about_data(about), _about_data(flat)), opened)
        return dataset is not None and has_result(flat, folder, {"checkpoint": digest}, dataset, self._provenance)

    def _dataset(self, about: tuple[tuple[str, ...], ...], opened: Callable[[], Dataset | None]) -> Dataset | None:
        if about not in self._datasets:
            self._datasets[about] = opened()
        return self._datasets[about]

    def _checkpoint(self, path: Path, measured: Path | None) -> checkpoint.Checkpoint:
        """Return a checkpoint, without tensors where the result in a folder was measured on it and says the rest."""
        about = self._provenance(measured / results.FILENAME) if measured is not None else {}
        if not about.keys() >= CHECKPOINT_ENTRIES or about["checkpoint_sha256"] != self._sha256(path):
            return checkpoint.load(path)
        fingerprint = str(about["trained_on"]).rpartition(", ")[2].removesuffix(")")
        step, data = int(about["trained_steps"]), {"name": "", "source": "", "fingerprint": fingerprint}
        config, origin = str(about["checkpoint_config"]), str(about["checkpoint_origin"])
        return checkpoint.Checkpoint({}, step, step, config, data, origin)


def _about_data(flat: Flat) -> tuple[str, ...]:
    """Return what a config says of its data. ValueError where that depends on other keys."""
    lines = tuple(f"{key}={value}" for key, value in flat.items() if key == "split" or key.startswith("dataset."))
    if any(map(OTHER_KEYS.search, lines)):
        raise ValueError("the data set depends on other keys")
    return lines

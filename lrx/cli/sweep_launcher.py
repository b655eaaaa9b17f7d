"""Launcher of a sweep: the plan of its jobs is kept, and of many those that are finished are left out.

A large sweep that is started again is looked through before a launcher composes the config of each job. What is taken
as finished is what `lrx train` and `lrx assay` would: the same config, the last checkpoint, the same data, and the
result of the assay that follows. Where any of it is not so or is not plain, the job starts and says what there is to
say.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lrx.cli.overrides import job_folder, sweep_folder
from lrx.cli.sweep_configs import JobConfigLoader
from lrx.cli.variants import Variants, job_words
from lrx.core.text import count_of
from lrx.runs import plan

if TYPE_CHECKING:
    from lrx.cli.finished_runs import FinishedRuns

FEW = 20  # jobs that start anyhow: each of them says that it is finished
SUBDIR = "${job_folder:"  # with which the yaml of lrx's commands names the folders of jobs


@dataclass(frozen=True)
class Sweep:
    """Sweep of a command: the keys that vary, the time of the command, and the overrides of its variants."""

    swept: tuple[str, ...]
    started: int
    variants: Variants


class SweepLauncher(Launcher):
    """Launcher that hands jobs with the overrides of their variants to another one; of many, without finished ones."""

    def __init__(self, launcher: Launcher, sweep: Sweep) -> None:
        self._launcher, self._sweep = launcher, sweep

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra hands over before a sweep, and hand it on."""
        self._loader, self._config = hydra_context.config_loader, config
        self._launcher.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Launch the jobs that are not finished; return the results of all, of finished trainings the last loss."""
        jobs = [job_words(words, self._sweep.variants) for words in job_overrides]
        together = int(os.environ.get("WORLD_SIZE", "1"))  # processes, which must all start the same jobs
        if together > 1 or not self._has_own_folders(jobs):
            return self._launcher.launch(jobs, initial_job_idx)
        with plan.launcher(Path(str(self._config.hydra.sweep.dir)), dict(map(self._planned, jobs))):
            if len(jobs) <= FEW:
                return self._launcher.launch(jobs, initial_job_idx)
            return self._launch_unfinished(jobs, initial_job_idx)

    def _launch_unfinished(self, jobs: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from lrx.cli.finished_runs import FinishedRuns  # torch

        assert isinstance(self._loader, JobConfigLoader)
        folder = sweep_folder(str(self._config.hydra.sweep.dir), self._sweep.started)
        runs = FinishedRuns(self._loader, self._config, folder)
        finished = [_finished_job(runs, words) for words in jobs]
        rest = [words for words, job in zip(jobs, finished, strict=True) if job is None]
        if len(rest) < len(finished):
            from lrx.cli.console import messages

            number = count_of(len(finished) - len(rest), "job")
            messages.note(f"{number} of {len(finished):,} in {self._config.hydra.sweep.dir} finished before")
        launched = iter(self._launcher.launch(rest, initial_job_idx) if rest else ())
        return [next(launched) if job is None else job for job in finished]

    def _planned(self, words: Sequence[str]) -> tuple[str, plan.Planned]:
        """Return the folder of a job, and what the plan says of it."""
        assert isinstance(self._loader, JobConfigLoader)
        model = self._config.hydra.runtime.choices.get("model")
        with suppress(HydraException, OmegaConfBaseException, ValueError, OSError):  # which the job itself says
            choices, own = self._loader.shared(self._config)
            model = choices.model([*own, *words])
        command, sweep = str(self._config.hydra.job.config_name), self._sweep
        name = job_folder(words, str(self._config.hydra.sweep.dir), model, swept=sweep.swept, started=sweep.started)
        return name, plan.Planned(command, tuple(words))

    def _has_own_folders(self, jobs: Sequence[Sequence[str]]) -> bool:
        """Return whether lrx names the folders of jobs, and that of the sweep by the one key `name`."""
        raw = OmegaConf.to_container(self._config.hydra.sweep)
        assert isinstance(raw, dict)
        named = set(re.findall(r"\$\{([^}]*)\}", str(raw["dir"])))
        names = {word for words in jobs for word in words if word.startswith("name=")}
        return str(raw["subdir"]).startswith(SUBDIR) and named <= {"name"} and len(names) <= 1


def _finished_job(runs: FinishedRuns, words: Sequence[str]) -> JobReturn | None:
    """Return the result of a job that is finished; None for others."""
    finished, loss = runs.result(words)
    if not finished:
        return None
    job = JobReturn(overrides=list(words), status=JobStatus.COMPLETED)
    job.return_value = loss
    return job

"""Jobs of a sweep that are finished: left out before a launcher composes the config of each.

A large sweep that is started again is looked through first. What is taken as finished is what `lrx train` and
`lrx assay` would: the same config, the last checkpoint, the same data, and the result of the assay that follows. Where
any of it is not so or is not plain, the job starts and says what there is to say.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from lrx.cli.overrides import sweep_folder
from lrx.cli.sweep_configs import JobConfigLoader
from lrx.core.text import count_of

if TYPE_CHECKING:
    from lrx.cli.finished_runs import FinishedRuns

FEW = 20  # jobs that start anyhow: each of them says that it is finished
SUBDIR = "${job_folder:"  # with which the yaml of lrx's commands names the folders of jobs


class UnfinishedLauncher(Launcher):
    """Launcher that hands jobs to another one, without those of a large sweep that are finished.

    started: time of the command.
    """

    def __init__(self, launcher: Launcher, started: int) -> None:
        self._launcher, self._started = launcher, started

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra hands over before a sweep, and hand it on."""
        self._loader, self._config = hydra_context.config_loader, config
        self._launcher.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Launch the jobs that are not finished; return the results of all, of finished trainings the last loss."""
        together = int(os.environ.get("WORLD_SIZE", "1"))  # processes, which must all start the same jobs
        if len(job_overrides) <= FEW or together > 1 or not self._has_own_folders(job_overrides):
            return self._launcher.launch(job_overrides, initial_job_idx)
        from lrx.cli.finished_runs import FinishedRuns  # torch

        assert isinstance(self._loader, JobConfigLoader)
        runs = FinishedRuns(self._loader, self._config, sweep_folder(str(self._config.hydra.sweep.dir), self._started))
        finished = [_finished_job(runs, words) for words in job_overrides]
        rest = [words for words, job in zip(job_overrides, finished, strict=True) if job is None]
        if len(rest) < len(finished):
            from lrx.cli.console import messages

            number = count_of(len(finished) - len(rest), "job")
            messages.note(f"{number} of {len(finished):,} in {self._config.hydra.sweep.dir} finished before")
        launched = iter(self._launcher.launch(rest, initial_job_idx) if rest else ())
        return [next(launched) if job is None else job for job in finished]

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

"""Sweeps on Slurm: a launcher for Hydra, on submitit, that composes the config of each job when it is submitted.

A launcher that composes on the node would let a yaml that is edited while jobs wait change what they do. Here the
composed config travels with the job. A job that is preempted, requeued or out of time starts again with that config
in the same run folder, where training goes on from its checkpoint; nothing else has to be kept.
"""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from lrx.cli.errors import SweepError
from lrx.core.validation import is_whole
from lrx.runs import status

if TYPE_CHECKING:
    import submitit  # comes with the extra `sweep`; those who do without have no need of it


class FrozenSlurmLauncher(Launcher):
    """Submits a sweep as one array. The settings are those of configs/hydra/launcher/lrx_slurm.yaml.

    folder: for scripts, pickles and logs; `%j` stands for the job's id. wait: whether to stay until all jobs are over.
    ValueError for a setting that makes no sense, and when there is no submitit, no Slurm, or Slurm refuses.
    """

    def __init__(
        self,
        *,
        wait: bool,
        partition: str | None,
        account: str | None,
        qos: str | None,
        timeout_min: int,
        cpus_per_task: int,
        gpus_per_node: int | None,
        mem_gb: float | None,
        array_parallelism: int,
        max_num_timeout: int,
        signal_delay_s: int,
        setup: Sequence[str],
        additional_parameters: Mapping[str, object],
        name: str,
        folder: str,
    ) -> None:
        counts = {"timeout_min": (timeout_min, 1), "cpus_per_task": (cpus_per_task, 1)}
        counts |= {"array_parallelism": (array_parallelism, 1), "max_num_timeout": (max_num_timeout, 0)}
        for key, (value, least) in (counts | {"signal_delay_s": (signal_delay_s, 0)}).items():
            if not is_whole(value, least):
                raise ValueError(f"hydra.launcher.{key} must be a whole number of at least {least}, not {value!r}")
        if isinstance(setup, str) or not all(isinstance(line, str) for line in setup):
            raise ValueError(f"hydra.launcher.setup must list shell commands, not {setup!r}")
        self._wait, self._folder, self._max_num_timeout = wait, folder, max_num_timeout
        settings = {
            "job_name": name,
            "partition": partition,
            "account": account,
            "qos": qos,
            "time": timeout_min,
            "cpus_per_task": cpus_per_task,
            "gpus_per_node": gpus_per_node,
            "mem": None if mem_gb is None else f"{round(1024 * mem_gb)}MB",
            "array_parallelism": array_parallelism,
            "signal_delay_s": signal_delay_s,
            # since Slurm 22.05 srun does not take the number of its cores from sbatch; as many threads on every node
            # also keep a resumed run equal to an uninterrupted one
            "setup": [f"export SRUN_CPUS_PER_TASK={cpus_per_task} OMP_NUM_THREADS={cpus_per_task}", *setup],
            "additional_parameters": dict(additional_parameters),
        }
        self._settings = {key: value for key, value in settings.items() if value is not None}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """What Hydra hands over before a sweep."""
        self._context, self._task, self._config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit one job for each list of overrides; its result is None where the sweep does not wait."""
        library = _submitit()
        state = Singleton.get_state()
        frozen = []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            config = self._context.config_loader.load_sweep_config(self._config, list(overrides))
            with open_dict(config):
                config.hydra.job.num = number
            frozen.append(FrozenJob(config, self._task, self._context, state))
        executor = library.SlurmExecutor(self._folder, max_num_timeout=self._max_num_timeout)
        executor.update_parameters(**self._settings)
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # sbatch's own words are in the error, too
                jobs = executor.submit_array(frozen)
        except library.core.utils.FailedJobError as error:
            raise ValueError(f"Slurm refused the sweep: {error}") from error
        array = jobs[0].job_id.partition("_")[0] + (f"_[0-{len(jobs) - 1}]" if len(jobs) > 1 else "")
        print(f"submitted {array}: {self._config.hydra.sweep.dir}", flush=True)
        for one, job in zip(frozen, jobs, strict=True):
            one.say_queued(job.job_id)
        if self._wait:
            return [_result(one, job, library) for one, job in zip(frozen, jobs, strict=True)]
        return [_ended(one.config, JobStatus.COMPLETED, None) for one in frozen]


@dataclass(frozen=True)
class FrozenJob:
    """A job with the whole config that it will run; submitit pickles it and calls it on the node."""

    config: DictConfig
    task: TaskFunction
    context: HydraContext
    state: object

    def __call__(self) -> object:
        """Run the job; its error is raised, so that Slurm counts the job as failed."""
        Singleton.set_state(self.state)
        setup_globals()
        job = run_job(
            hydra_context=self.context,
            task_function=self.task,
            config=self.config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
        if job.status == JobStatus.FAILED:
            raise job._return_value
        return job._return_value

    @property
    def folder(self) -> Path:
        """The run folder."""
        return Path(str(self.config.hydra.sweep.dir), str(self.config.hydra.sweep.subdir))

    @property
    def overrides(self) -> tuple[str, ...]:
        """What this job was asked for, as typed."""
        return tuple(self.config.hydra.overrides.task)

    def say_queued(self, job_id: str) -> None:
        """Leave word in the run folder, unless the run is done or somebody works on it."""
        with suppress(status.BusyError), status.lock(self.folder):  # the job may have begun, and even ended, by now
            before = status.read(self.folder) or status.Status("interrupted")
            if before.state != "done" and before.job != job_id:
                command, words = str(self.config.hydra.job.config_name), self.overrides
                status.write(
                    self.folder,
                    replace(before, state="queued", command=command, overrides=words, job=job_id, error=""),
                )

    def checkpoint(self) -> object:
        """What to run when the job was preempted or ran out of time: the same again; the run folder knows the rest."""
        return _submitit().helpers.DelayedSubmission(self)


def _submitit() -> ModuleType:
    try:
        import submitit
    except ImportError as error:
        raise ValueError(
            "hydra/launcher=lrx_slurm needs submitit: pip install -e '.[sweep]' in the checkout of lrx"
        ) from error
    if shutil.which("srun") is None:
        raise ValueError(
            "hydra/launcher=lrx_slurm needs Slurm, and there is no srun here; hydra/launcher=joblib needs none"
        )
    return submitit


def _result(frozen: FrozenJob, job: submitit.Job[object], library: ModuleType) -> JobReturn:
    """Wait for a job; one that failed gives the line that it left in its folder, or the place of its log."""
    try:
        return _ended(frozen.config, JobStatus.COMPLETED, job.result())
    except library.core.utils.UncompletedJobError:
        said, number = status.read(frozen.folder), frozen.config.hydra.job.num
        why = said.error if said and said.error else f"{job.state.lower()} on Slurm, see {job.paths.stderr}"
        error = SweepError(f"job {number} ({' '.join(frozen.overrides)}): {why}", logged=True)
        return _ended(frozen.config, JobStatus.FAILED, error)


def _ended(config: DictConfig, how: JobStatus, value: object) -> JobReturn:
    returned = JobReturn(cfg=config, status=how)
    returned.return_value = value
    return returned

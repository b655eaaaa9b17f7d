"""Launcher of sweeps on Slurm, by submitit, which composes the config of each job when the sweep is submitted.

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
from lrx.cli.sweep_configs import refusal_of
from lrx.core.validation import SettingError, check_whole
from lrx.runs import status

if TYPE_CHECKING:
    import submitit  # comes with the extra `sweep`


@dataclass(frozen=True, kw_only=True)
class SlurmSettings:
    """Settings of the launcher, explained in configs/hydra/launcher/lrx_slurm.yaml. SettingError for one out of range.

    folder: for scripts, pickles and logs; `%j` stands for the job's id. wait: whether to stay until all jobs are over.
    """

    wait: bool
    partition: str | None
    account: str | None
    qos: str | None
    timeout_min: int
    cpus_per_task: int
    gpus_per_node: int | None
    mem_gb: float | None
    array_parallelism: int
    max_num_timeout: int
    signal_delay_s: int
    setup: Sequence[str]
    additional_parameters: Mapping[str, object]
    name: str
    folder: str

    def __post_init__(self) -> None:
        for key in ("timeout_min", "cpus_per_task", "array_parallelism"):
            check_whole(key, getattr(self, key), 1)
        for key in ("max_num_timeout", "signal_delay_s"):
            check_whole(key, getattr(self, key), 0)
        if isinstance(self.setup, str) or not all(isinstance(line, str) for line in self.setup):
            raise SettingError(f"setup must list shell commands, not {self.setup!r}")

    def submitit_parameters(self) -> dict[str, object]:
        """Return the parameters of submitit's Slurm executor."""
        parameters = {
            "job_name": self.name,
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "time": self.timeout_min,
            "cpus_per_task": self.cpus_per_task,
            "gpus_per_node": self.gpus_per_node,
            "mem": None if self.mem_gb is None else f"{round(1024 * self.mem_gb)}MB",
            "array_parallelism": self.array_parallelism,
            "signal_delay_s": self.signal_delay_s,
            # since Slurm 22.05 srun does not take the number of its cores from sbatch; as many threads on every node
            # also keep a resumed run equal to an uninterrupted one
            "setup": [
                f"export SRUN_CPUS_PER_TASK={self.cpus_per_task} OMP_NUM_THREADS={self.cpus_per_task}",
                *self.setup,
            ],
            "additional_parameters": dict(self.additional_parameters),
        }
        return {key: value for key, value in parameters.items() if value is not None}


class FrozenSlurmLauncher(Launcher):
    """Launcher that submits a sweep as one array of jobs; its keywords are SlurmSettings.

    ValueError when there is no submitit, no Slurm, or Slurm refuses.
    """

    def __init__(self, **settings: object) -> None:
        self._settings = SlurmSettings(**settings)  # type: ignore[arg-type]

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra hands over before a sweep."""
        self._context, self._task, self._config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit one job for each list of overrides; its result is None where the sweep does not wait.

        A job whose config cannot be composed fails here and now, and is not submitted.
        """
        library = _submitit()
        state = Singleton.get_state()
        frozen = []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            config = self._context.config_loader.load_sweep_config(self._config, list(overrides))
            with open_dict(config):
                config.hydra.job.num = number
            frozen.append(FrozenJob(config, self._task, self._context, state))
        refused = {one: one.run() for one in frozen if refusal_of(one.config) is not None}
        sound = [one for one in frozen if one not in refused]
        results = iter(self._submit(library, sound) if sound else ())
        return [refused[one] if one in refused else next(results) for one in frozen]

    def _submit(self, library: ModuleType, frozen: list[FrozenJob]) -> list[JobReturn]:
        executor = library.SlurmExecutor(self._settings.folder, max_num_timeout=self._settings.max_num_timeout)
        executor.update_parameters(**self._settings.submitit_parameters())
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # sbatch's own words are in the error, too
                jobs = executor.submit_array(frozen)
        except library.core.utils.FailedJobError as error:
            raise ValueError(f"Slurm refused the sweep: {error}") from error
        array = jobs[0].job_id.partition("_")[0] + (f"_[0-{len(jobs) - 1}]" if len(jobs) > 1 else "")
        print(f"submitted {array}: {self._config.hydra.sweep.dir}", flush=True)
        for one, job in zip(frozen, jobs, strict=True):
            one.mark_queued(job.job_id)
        if self._settings.wait:
            return [_result(one, job, library) for one, job in zip(frozen, jobs, strict=True)]
        return [_job_return(one.config, JobStatus.COMPLETED, None) for one in frozen]


@dataclass(frozen=True, eq=False)
class FrozenJob:
    """Job with the whole config that it will run; submitit pickles it and calls it on the node."""

    config: DictConfig
    task: TaskFunction
    context: HydraContext
    state: object

    def __call__(self) -> object:
        """Run the job; its error is raised, so that Slurm counts the job as failed."""
        Singleton.set_state(self.state)
        job = self.run()
        if job.status == JobStatus.FAILED:
            raise job._return_value
        return job._return_value

    def run(self) -> JobReturn:
        """Run the job in this process."""
        setup_globals()
        return run_job(
            hydra_context=self.context,
            task_function=self.task,
            config=self.config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )

    @property
    def folder(self) -> Path:
        """Run folder."""
        return Path(str(self.config.hydra.sweep.dir), str(self.config.hydra.sweep.subdir))

    @property
    def overrides(self) -> tuple[str, ...]:
        """Overrides of this job, as typed."""
        return tuple(self.config.hydra.overrides.task)

    def mark_queued(self, job_id: str) -> None:
        """Write the state `queued` into the run folder, unless the run is done or a process works on it."""
        with suppress(status.BusyError), status.lock(self.folder):  # the job may have begun, and even ended, by now
            before = status.read(self.folder) or status.Status("interrupted")
            if before.state != "done" and before.job != job_id:
                command, words = str(self.config.hydra.job.config_name), self.overrides
                status.write(
                    self.folder,
                    replace(before, state="queued", command=command, overrides=words, job=job_id, error=""),
                )

    def checkpoint(self) -> object:
        """Return what to run after preemption or a time-out: the same job, which resumes from the run folder."""
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
    """Wait for a job; the error of one that failed has the line from its run folder, or the place of its log."""
    try:
        return _job_return(frozen.config, JobStatus.COMPLETED, job.result())
    except library.core.utils.UncompletedJobError:
        ended, number = status.read(frozen.folder), frozen.config.hydra.job.num
        reason = ended.error if ended and ended.error else f"{job.state.lower()} on Slurm, see {job.paths.stderr}"
        error = SweepError(f"job {number} ({' '.join(frozen.overrides)}): {reason}", logged=True)
        return _job_return(frozen.config, JobStatus.FAILED, error)


def _job_return(config: DictConfig, state: JobStatus, value: object) -> JobReturn:
    returned = JobReturn(cfg=config, status=state)
    returned.return_value = value
    return returned

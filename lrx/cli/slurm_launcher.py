"""Launcher of sweeps on Slurm, by submitit, which composes the config of each job when the sweep is submitted.

A launcher that composes on the node would let a yaml that is edited while jobs wait change what they do. Here the
composed config travels with the job. A job that is preempted, requeued or out of time starts again with that config
in the same run folder, where training goes on from its checkpoint; nothing else has to be kept.
"""

from __future__ import annotations

import contextlib
import functools
import io
import pickle
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
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
from lrx.cli.slurm_arrays import JobArray, ask_limits, split
from lrx.cli.slurm_settings import SlurmSettings
from lrx.cli.sweep_configs import refusal_of, remove_empty_sweep
from lrx.runs import status

if TYPE_CHECKING:
    import submitit  # comes with the extra `sweep`


class FrozenSlurmLauncher(Launcher):
    """Launcher that submits a sweep as an array of jobs, or several; its keywords are SlurmSettings.

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
        try:
            library, limits = _submitit(), ask_limits()
            limits.check(len(job_overrides))
        except ValueError:
            remove_empty_sweep(Path(str(self._config.hydra.sweep.dir)))
            raise
        shared, frozen = Shared(self._task, self._context, Singleton.get_state()), []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            config = self._context.config_loader.load_sweep_config(self._config, list(overrides))
            with open_dict(config):
                config.hydra.job.num = number
                # of now: which words tell runs apart, and so the name, may be others when the job begins
                config.hydra.sweep.subdir = str(config.hydra.sweep.subdir)
            frozen.append(FrozenJob(config, shared))
        refused = {one: one.run() for one in frozen if refusal_of(one.config) is not None}
        sound = [one for one in frozen if one not in refused]
        arrays = split(len(sound), array_size=limits.array_size, max_parallel=self._settings.max_parallel)
        results = iter(self._submit(library, sound, arrays) if sound else ())
        return [refused[one] if one in refused else next(results) for one in frozen]

    def _submit(self, library: ModuleType, frozen: list[FrozenJob], arrays: list[JobArray]) -> list[JobReturn]:
        by_array: list[list[submitit.Job[object]]] = []
        folder = library.core.utils.JobPaths.get_first_id_independent_folder(self._settings.folder)
        with _all_or_nothing(by_array, folder, Path(str(self._config.hydra.sweep.dir))):
            for array in arrays:
                executor = library.SlurmExecutor(self._settings.folder, max_num_timeout=self._settings.max_num_timeout)
                before = None if array.after is None else f"afterany:{_array_id(by_array[array.after])}"
                executor.update_parameters(**self._settings.submitit_parameters(array, before))
                part = frozen[array.jobs.start : array.jobs.stop]
                try:
                    with contextlib.redirect_stderr(io.StringIO()):  # sbatch's own words are in the error, too
                        by_array.append(executor.submit_array(part))
                except library.core.utils.FailedJobError as error:
                    which = f", in jobs {array.jobs.start} to {array.jobs.stop - 1}" if len(arrays) > 1 else ""
                    raise ValueError(f"Slurm refused the sweep{which}: {error}") from error
        names = [_array_id(jobs) + (f"_[0-{len(jobs) - 1}]" if len(jobs) > 1 else "") for jobs in by_array]
        print(f"submitted {' '.join(names)}: {self._config.hydra.sweep.dir}", flush=True)
        jobs = [job for part in by_array for job in part]
        for one, job in zip(frozen, jobs, strict=True):
            one.mark_queued(job.job_id)
        if self._settings.wait:
            return [_result(one, job, library) for one, job in zip(frozen, jobs, strict=True)]
        return [_job_return(one.config, JobStatus.COMPLETED, None) for one in frozen]


@dataclass(frozen=True, eq=False)
class Shared:
    """Task, Hydra's context and state, the same for all jobs of a sweep; pickled once, as that takes 10 ms."""

    task: TaskFunction
    context: HydraContext
    state: object

    def __reduce__(self) -> tuple[object, ...]:
        """Return how pickle makes it anew: from bytes that all jobs have in common as well."""
        return _unpickled, (self._pickled,)

    @functools.cached_property
    def _pickled(self) -> bytes:
        import cloudpickle  # comes with submitit

        pickled: bytes = cloudpickle.dumps((self.task, self.context, self.state))
        return pickled


def _unpickled(pickled: bytes) -> Shared:
    return Shared(*pickle.loads(pickled))


@dataclass(frozen=True, eq=False)
class FrozenJob:
    """Job with the whole config that it will run; submitit pickles it and calls it on the node."""

    config: DictConfig
    shared: Shared

    def __call__(self) -> object:
        """Run the job; its error is raised, so that Slurm counts the job as failed."""
        Singleton.set_state(self.shared.state)
        job = self.run()
        if job.status == JobStatus.FAILED:
            raise job._return_value
        return job._return_value

    def run(self) -> JobReturn:
        """Run the job in this process."""
        setup_globals()
        return run_job(
            hydra_context=self.shared.context,
            task_function=self.shared.task,
            config=self.config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )

    @functools.cached_property
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


@contextmanager
def _all_or_nothing(submitted: list[list[submitit.Job[object]]], folder: Path, sweep: Path) -> Iterator[None]:
    """Cancel the arrays submitted so far and remove files of jobs, and the sweep's folder if new, on an error."""
    before = set(folder.glob("*"))
    try:
        yield
    except BaseException:
        if submitted:
            subprocess.run(["scancel", *map(_array_id, submitted)], capture_output=True, check=False)
        for path in set(folder.glob("*")) - before:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
        remove_empty_sweep(sweep)
        raise


def _array_id(jobs: Sequence[submitit.Job[object]]) -> str:
    return jobs[0].job_id.partition("_")[0]


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

"""Settings of the launcher of sweeps on Slurm, and what submitit makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lrx.cli.slurm_arrays import JobArray
from lrx.core.validation import SettingError, check_number, check_whole


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
    max_parallel: int
    max_num_timeout: int
    signal_delay_s: int
    setup: list[str]
    additional_parameters: Mapping[str, object]
    name: str
    folder: str

    def __post_init__(self) -> None:
        for key in ("timeout_min", "cpus_per_task", "max_parallel"):
            check_whole(key, getattr(self, key), 1)
        for key in ("max_num_timeout", "signal_delay_s"):
            check_whole(key, getattr(self, key), 0)
        check_number("mem_gb", self.mem_gb, 0.0, null=True)
        if not isinstance(self.wait, bool):
            raise SettingError(f"wait must be true or false, not {self.wait!r}")
        if not isinstance(self.setup, list) or not all(isinstance(line, str) for line in self.setup):
            raise SettingError(f"setup must list shell commands, not {self.setup!r}")
        if not isinstance(self.additional_parameters, Mapping):
            raise SettingError(f"additional_parameters must name options of sbatch, not {self.additional_parameters!r}")

    def submitit_parameters(self, array: JobArray, dependency: str | None) -> dict[str, object]:
        """Return the parameters of submitit's Slurm executor for an array of the sweep.

        dependency: what the array waits for, in place of what the whole sweep does; None to leave that.
        """
        parameters = {
            "job_name": self.name,
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "time": self.timeout_min,
            "cpus_per_task": self.cpus_per_task,
            "gpus_per_node": self.gpus_per_node,
            "mem": None if self.mem_gb is None else f"{round(1024 * self.mem_gb)}MB",
            "array_parallelism": array.parallel,
            "signal_delay_s": self.signal_delay_s,
            # since Slurm 22.05 srun does not take the number of its cores from sbatch; as many threads on every node
            # also keep a resumed run equal to an uninterrupted one
            "setup": [
                f"export SRUN_CPUS_PER_TASK={self.cpus_per_task} OMP_NUM_THREADS={self.cpus_per_task}",
                *self.setup,
            ],
            "additional_parameters": {
                **self.additional_parameters,
                **({} if dependency is None else {"dependency": dependency}),
            },
        }
        return {key: value for key, value in parameters.items() if value is not None}

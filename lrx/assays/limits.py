"""Limits of an assay: its cost is told before it is spent, and refused above `max_seconds` or the memory at hand."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

import torch

from lrx.core.free_memory import free_memory
from lrx.core.text import duration, join_names, size
from lrx.core.validation import SettingError
from lrx.responses.cost import Cost
from lrx.responses.measurement import Measurement
from lrx.responses.trial import Trial, try_passes

TOLD = 5.0  # seconds above which a cost is told


def check_limits(
    m: Measurement, cost: Cost, *, max_seconds: float | None, tell: Callable[[str], None] | None = None
) -> Needs:
    """Refuse what takes longer than `max_seconds`, or more memory than there is; tell what takes a while.

    tell: called with the counts, the time and the memory, where it takes more than `TOLD` seconds. With None, passes
    are tried for the limit alone, and without one only the memory that is kept is compared with what there is.
    SettingError above the limit, MemoryError above the memory.
    """
    bounds = [bound for bound in (max_seconds, None if tell is None else TOLD) if bound is not None]
    trial = try_passes(m, cost, long=min(bounds)) if bounds and cost.passes else Trial((0.0, 0.0), 0)
    needs, seconds = Needs(m, cost, trial), trial.seconds(cost)
    if max_seconds is not None and seconds > max_seconds:
        raise SettingError(f"max_seconds={max_seconds:g}: {cost} would take {duration(seconds)}; {_advice(cost)}")
    needs.check()
    if tell is not None and seconds > TOLD:
        tell(f"{cost}, {duration(seconds)}, {size(cost.num_bytes + needs.batch)}")
    return needs


class Needs:
    """Memory that an assay needs: what it keeps, and what a batch holds. batch: bytes of the latter."""

    def __init__(self, m: Measurement, cost: Cost, trial: Trial) -> None:
        self._m, self._cost = m, cost
        self.batch = self._of_batch(trial)

    def _of_batch(self, trial: Trial) -> int:
        return trial.held * min(self._m.batch_size, max(1, self._cost.passes))

    def check(self) -> None:
        """Raise MemoryError where that is more than there is, on the machine or on its card."""
        device, free = self._m.device_and_dtype.device, free_memory()
        kept = self._cost.num_bytes
        if device.type == "cuda":
            cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
            available = torch.cuda.mem_get_info(device)[0] + cached
            if self.batch > available:
                raise MemoryError(f"{self} and {size(available)} of the card are free; {self._remedy()}")
        elif free is not None:
            kept += self.batch
        if free is not None and kept > free:
            raise MemoryError(f"{self} and {size(free)} of memory are free; {self._remedy()}")

    def __str__(self) -> str:
        """Write what is large: the largest thing that is kept, and the batch."""
        kept = sorted(self._cost.memory.items(), key=lambda part: -part[1])[:1]
        batch = (f"a batch of {self._m.batch_size:,}", self.batch)
        large = sorted([*kept, batch], key=lambda part: -part[1])
        large = [part for part in large if part[1] * 10 >= large[0][1]]
        return "the memory needed is " + " and ".join(f"{size(number)} for {name}" for name, number in large) + ","

    def hint(self) -> str:
        """Write what took the memory that was not there, and what needs less."""
        if not self.batch:  # not tried before
            with contextlib.suppress(RuntimeError, MemoryError):
                self.batch = self._of_batch(try_passes(self._m, self._cost, long=math.inf))
        return f"out of memory: {str(self).rstrip(',')}; {self._remedy()}"

    def _remedy(self) -> str:
        if self.batch >= self._cost.num_bytes:
            return "a smaller batch_size needs less"
        instead = self._cost.instead
        return f"no batch_size changes that; {f'give {instead}' if instead else _advice(self._cost)}"


def _advice(cost: Cost) -> str:
    parts = [f"change {join_names(cost.less)}"] if cost.less else []
    return ", or give ".join([*parts, cost.instead] if cost.instead else parts)

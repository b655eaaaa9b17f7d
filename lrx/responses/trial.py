"""Trial pass: how long the encoder and the decoder of a model take, and what a pass holds, on its own device."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lrx.responses.cost import Cost
from lrx.responses.encoding import eval_mode, observations
from lrx.responses.measurement import Measurement

LIVE = 3  # tensors of the largest size that a pass holds at a time: what a layer takes, gives, and works with
BESIDE = 20e-6  # seconds of a response beside its passes, about, of a model of few latents
SLOW = 1e-3  # seconds of a response whose sums take no time beside it
SHARE = 20  # of the passes told that a trial may have, so that it takes a tenth of the time at most


@dataclass(frozen=True)
class Trial:
    """Seconds that one observation takes in the encoder and in the decoder, and bytes that it holds in a pass.

    beside_s: seconds of a response beside its passes, such as of its sums, or of a draw that takes no pass.
    """

    coder_s: tuple[float, float]
    held: int
    beside_s: float = 0.0

    def seconds(self, cost: Cost) -> float:
        """Return the seconds of a cost; a product of a Jacobian takes as long as two responses."""
        products, (encode_s, decode_s) = 2 * cost.products, self.coder_s
        passes = (cost.encodings + products) * encode_s + (cost.decodings + products) * decode_s
        return passes + (cost.responses + cost.exact) * self.beside_s


def try_passes(m: Measurement, cost: Cost, *, long: float) -> Trial:
    """Time one observation, and where the passes would then take longer than `long` seconds, a batch of the real size.

    No random number of the caller is used up.
    """
    x = observations(m.autoencoder, m.dataset, torch.zeros(1, dtype=torch.int64))
    with eval_mode(m.autoencoder), torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
        with Largest() as largest:  # type: ignore[no-untyped-call]
            _timed(m, x)
        trial = Trial(_timed(m, x), LIVE * largest.num_bytes)
        if not cost.exact and trial.seconds(cost) + cost.responses * BESIDE <= long:
            return trial
        size = min(m.batch_size, cost.passes // SHARE)
        if size > 1:
            x = x.expand(size, *x.shape[1:]).clone()
            _timed(m, x)  # the first of its size takes longer
            encode_s, decode_s = _timed(m, x)
            trial = replace(trial, coder_s=(encode_s / size, decode_s / size))
    return replace(trial, beside_s=_beside(cost, 0.0 if cost.exact else sum(trial.coder_s)))


def _beside(cost: Cost, response_s: float) -> float:
    """Return the seconds of a response beside its passes, from a piece of the work; 0 where passes take far longer."""
    if cost.piece is None or response_s > SLOW or cost.piece[0] * SHARE > (cost.exact or cost.passes):
        return 0.0
    responses, work = cost.piece
    work()
    began = time.perf_counter()
    work()
    return max(0.0, (time.perf_counter() - began) / responses - response_s)


def _timed(m: Measurement, x: Tensor) -> tuple[float, float]:
    """Return the seconds of encoding observations, and of decoding their codes."""
    began = _now(x)
    z = m.autoencoder.encode(x)
    between = _now(x)
    m.autoencoder.decode(z)
    return between - began, _now(x) - between


def _now(x: Tensor) -> float:
    if x.is_cuda:
        torch.cuda.synchronize(x.device)
    return time.perf_counter()


class Largest(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Mode that keeps the size of the largest tensor that an operation makes; views, as of weights, are none."""

    num_bytes = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False: torch would import its compiler, a second and 70 MB of every assay, to leave this code out."""
        return False

    def __torch_dispatch__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = func(*args, **(kwargs or {}))
        taken = {part.untyped_storage().data_ptr() for part in args if isinstance(part, Tensor)}
        for part in given if isinstance(given, tuple | list) else (given,):
            if isinstance(part, Tensor) and part.untyped_storage().data_ptr() not in taken:
                self.num_bytes = max(self.num_bytes, part.nbytes)
        return given

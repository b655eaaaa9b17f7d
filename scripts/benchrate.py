"""Peak rate of a machine and cost of a computation, in floating-point operations (two per multiply-add)."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from lrx.core.bf16_support import quick_bf16

SIDE, REPEATS = 2048, 12
BATCH, WIDTH, IMAGE = 32, 64, 64
CPU = torch.device("cpu")


def product_rate(dtype: torch.dtype, threads: int, device: torch.device = CPU, *, side: int = SIDE) -> float:
    """Return the highest rate of products of 2048 x 2048 matrices, or of another side, in operations per second."""
    a, b = (_random(side, side).to(device, dtype) for _ in range(2))
    return 2 * side**3 / _least(lambda: a @ b, threads, device)


def convolution_rate(dtype: torch.dtype, threads: int, device: torch.device = CPU, *, batch: int = BATCH) -> float:
    """Return the highest rate of a 3 x 3 convolution of 64 channels, in operations per second."""
    x = _random(batch, WIDTH, IMAGE, IMAGE).to(device, dtype, memory_format=torch.channels_last)
    weight = _random(WIDTH, WIDTH, 3, 3).to(device, dtype, memory_format=torch.channels_last)
    with torch.inference_mode():
        seconds = _least(lambda: torch.conv2d(x, weight, padding=1), threads, device)
    return 2 * batch * IMAGE**2 * WIDTH**2 * 9 / seconds


def matrix_rate(dtype: torch.dtype, threads: int) -> float:
    """Return the higher of both rates: on some processors torch's matrix product is slower than its convolution."""
    return max(product_rate(dtype, threads), convolution_rate(dtype, threads))


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def _least(work: Callable[[], object], threads: int, device: torch.device) -> float:
    torch.set_num_threads(threads)
    times = []
    for _ in range(REPEATS):
        began = now(device)
        work()
        times.append(now(device) - began)
    return min(times)


def now(device: torch.device) -> float:
    """Return the time in seconds, once the device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def operations(work: Callable[[], object]) -> int:
    """Return the operations of the matrix products and convolutions in a computation."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def has_bf16() -> bool:
    """Return whether the processor has bf16 multiplication; without it, bf16 is slower than float32."""
    return quick_bf16(torch.device("cpu"))


def machine(threads: int) -> dict[str, str]:
    """Return a description of the machine for the page."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.is_file() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    rates = {
        f"{what}, {name}": f"{rate(dtype, threads) / 1e9:.0f} GFLOP/s"
        for name, dtype in (("float32", torch.float32), ("bf16", torch.bfloat16))
        for what, rate in (("matrix product", product_rate), ("convolution", convolution_rate))
    }
    return {
        "processor": models[0] if models else platform.processor() or platform.machine(),
        "cores": str(os.cpu_count()),
        "threads": str(threads),
        "bf16 in hardware": "yes" if has_bf16() else "no",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        **rates,
        "torch": torch.__version__,
        "numpy, scipy": f"{version('numpy')}, {version('scipy')}",
        "scikit-learn, lightgbm": f"{version('scikit-learn')}, {version('lightgbm')}",
        "date": date.today().isoformat(),
    }

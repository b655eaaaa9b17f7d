"""Parts of scripts/gpu_check.py that check: the machine, the CUDA tests, waits, and agreement with the CPU.

python scripts/gpu_parts.py PART --store FILE [--cpu] [--quick] [--seconds S]
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import os
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from benchrate import convolution_rate, product_rate
from gpu_models import COMMON, DTYPES, LATENTS, MODELS, SMALL, Noise, Part, Watcher, model, settings
from gpu_speed import responses, throughput, training
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from toy_assays import ToyMaps, small, sparse_toy, toy

from lrx.assays import catalog
from lrx.assays.run import run_assay
from lrx.core.devices import choose_device, configure_backends
from lrx.core.types import AssayResult
from lrx.models.ae import AE
from lrx.responses.bf16 import InBf16
from lrx.responses.latent_response import respond
from lrx.training.loop import TrainSettings, train

CPU = torch.device("cpu")
LIMITS = {torch.float64: 1e-9, torch.float32: 1e-3}  # of responses, in standard deviations
GAIN = 6**0.5  # from the weights that torch draws to those of He et al. 2015, with which responses vary
ROUNDING = 1.5  # of bf16, over that on the CPU
LOSS_LIMIT, SCORE_LIMIT = 1e-2, 1e-3  # relative
TEST_FILE = "tests/test_cuda.py"
SYNCHRONIZING = "called a synchronizing CUDA operation"  # torch's warning; it also says that its mode is a prototype


def machine(part: Part) -> None:
    """Describe the device, and measure its rates."""
    if part.device.type == "cuda":
        card = torch.cuda.get_device_properties(part.device)
        part.row(what="card", value=f"{card.name}, {card.total_memory / 2**30:.0f} GiB")
        part.row(what="CUDA, cuDNN", value=f"{torch.version.cuda}, {torch.backends.cudnn.version()}")
    part.row(what="cores", value=len(os.sched_getaffinity(0)))
    part.row(what="torch", value=torch.__version__)
    part.row(what="date", value=time.strftime("%Y-%m-%d"))
    configure_backends(part.device, tf32=False, repeatable=False)
    threads, (device, side, batch) = torch.get_num_threads(), part.sizes
    for dtype in DTYPES:
        rates = {
            "product": product_rate(dtype, threads, device, side=side),
            "convolution": convolution_rate(dtype, threads, device, batch=batch),
        }
        for what, rate in rates.items():
            part.row(what=f"{what}, {str(dtype).removeprefix('torch.')}", value=f"{rate / 1e12:.3g} TFLOP/s")


def tests(part: Part) -> None:
    """Run the tests of CUDA, which are those of the CPU where there is no card."""
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", TEST_FILE]
    chosen = ["-k", "tf32_for_all_products"] if part.quick else []
    done = subprocess.run(
        [*command, *chosen], cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=max(1.0, part.left)
    )
    lines = done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or ["pytest said nothing"]
    part.row(tests=TEST_FILE, outcome=lines[-1])
    named = [line for line in lines if line.startswith(("FAILED ", "ERROR ", "E  "))]
    part.check(done.returncode == 0, "; ".join(named[:20] or lines[-1:]))


class Waits(TorchDispatchMode):
    """Counts what would make the CPU wait for a card: values that are read, and shapes that depend on values."""

    count = 0
    waiting = (
        torch.ops.aten._local_scalar_dense.default,
        torch.ops.aten.nonzero.default,
        torch.ops.aten.masked_select.default,
    )

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.count += func in self.waiting
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def counted_waits(device: torch.device, places: list[str]) -> Iterator[None]:
    """Add the place of each wait for a card within the block; on a CPU, that of what would wait."""
    with warnings.catch_warnings(record=True) as said, Waits() as mode:
        warnings.simplefilter("always")
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("warn")
        try:
            yield
        finally:
            if device.type == "cuda":
                torch.cuda.set_sync_debug_mode("default")
            waits = [one for one in said if SYNCHRONIZING in str(one.message)]
            places += [f"{Path(one.filename).name}:{one.lineno}" for one in waits] or ["a value read"] * mode.count


def trained(part: Part, built: nn.Module, told: TrainSettings, watcher: Watcher, device: torch.device) -> nn.Module:
    """Train a model on noise, on a device, and return it."""
    with tempfile.TemporaryDirectory() as folder:
        built.to(device)
        train(
            built,
            Noise(part.shape, 64 if part.quick else 4096),
            told,
            seed=0,
            path=Path(folder, "c.pt"),
            observer=watcher,
        )
    return built


def waits(part: Part) -> None:
    """Count the waits of steps 3 to the last but one, and warnings of kernels that are not repeatable."""
    steps = 6 if part.quick else 30
    for network, factory in part.networks("conv64", "conv12").items():
        for name, kind in MODELS.items():
            places: list[str] = []
            with warnings.catch_warnings(record=True) as said, contextlib.ExitStack() as stack:

                def on_step(done: int, stack: contextlib.ExitStack = stack, places: list[str] = places) -> None:
                    if done == 3:  # the first steps allocate
                        stack.enter_context(counted_waits(part.device, places))
                    if done == steps - 1:  # the last one logs and saves
                        stack.close()

                warnings.simplefilter("always")
                told = settings(steps=steps, batch_size=8, precision="bf16", clip=1.0, schedule="cosine")
                trained(part, model(kind, factory, part.shape), told, Watcher(on_step), part.device)
            unsure = {str(one.message).split(" ")[0] for one in said if "deterministic" in str(one.message)}
            where = ", ".join(sorted(set(places)))
            part.row(network=network, model=name, waits=len(places), places=where, not_repeatable=", ".join(unsure))
            part.check(not places, f"{name} of {network} waits for the card {len(places)} times: {where}")


def agreement(part: Part) -> None:
    """Compare responses and trainings with those of the CPU, and a training with itself."""
    for network, factory in part.networks("conv64", "conv12").items():
        built = model(MODELS["VAE"], factory, part.shape).to(memory_format=torch.channels_last).eval()
        with torch.no_grad():
            for weight in built.parameters():
                weight *= GAIN if weight.ndim > 1 else 1.0
        _compare_responses(part, network, built)
    for network, factory in part.networks("conv64", "conv12").items():
        size = 64 if network == "conv64" else 16
        told = settings(steps=5 if part.quick else 200, batch_size=size, precision="float32", log_every=5)
        build = functools.partial(model, functools.partial(AE, **COMMON), factory, part.shape)  # draws no noise
        watchers = [Watcher(), Watcher()]
        for watcher, device in zip(watchers, (CPU, part.device), strict=True):
            trained(part, build(), told, watcher, device)
        first, second = (torch.tensor(watcher.losses, dtype=torch.float64) for watcher in watchers)
        apart = ((first - second).abs() / first.abs()).max().item()
        part.row(what=f"{told.steps} steps of AE, {network}", largest_difference=apart, limit=LOSS_LIMIT)
        part.check(apart <= LOSS_LIMIT, f"losses of {network} differ from the CPU's by {apart:.2g} of theirs")
        again = dataclasses.replace(told, steps=min(told.steps, 30), precision="bf16")
        one, two = (trained(part, build(), again, Watcher(), part.device).state_dict() for _ in range(2))
        same = all(torch.equal(one[key], two[key]) for key in one)
        part.row(what=f"{again.steps} steps in bf16 repeated, {network}", largest_difference="none" if same else "some")
        part.check(same, f"the same training of {network} twice gives other weights")


def _compare_responses(part: Part, network: str, built: nn.Module) -> None:
    configure_backends(part.device, tf32=False, repeatable=False)
    size, chance = 8 if part.quick else 256, torch.Generator().manual_seed(0)
    z_ND = torch.randn(size, LATENTS, generator=chance, dtype=torch.float64)

    def found(device: torch.device, dtype: torch.dtype, *, bf16: bool = False) -> torch.Tensor:
        there = built.to(device, dtype)
        z_there = z_ND.to(device, dtype)
        return respond(InBf16(there) if bf16 else there, z_there, batch_size=64).cpu().double()  # type: ignore[arg-type]

    def compare(what: str, apart: float, limit: float) -> None:
        part.row(what=f"responses of {network}, {what}", largest_difference=apart, limit=limit)
        part.check(apart <= limit, f"responses of {network}, {what}: {apart:.2g} is above {limit:g}")

    for dtype, limit in LIMITS.items():
        h_ND = found(CPU, dtype)
        apart = ((found(part.device, dtype) - h_ND).abs() / h_ND.std(0)).max().item()
        compare(str(dtype).removeprefix("torch."), apart, limit)
    rounding = [(found(device, torch.float32, bf16=True) - h_ND).norm() for device in (part.device, CPU)]
    compare("bf16, rounding", (rounding[0] / rounding[1]).item(), ROUNDING)


def assays(part: Part) -> None:
    """Run every assay of a small model on the device and on the CPU."""
    names = [
        name for name in catalog.descriptions() if not part.quick or name in ("response_matrix", "sparse_response")
    ]
    for name in names:
        try:
            apart = _compare_assay(part, name)
        except Exception as error:  # the others go on
            apart = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            traceback.print_exc()
        part.row(assay=name, largest_difference=apart)
        part.check(isinstance(apart, float) and apart <= SCORE_LIMIT, f"{name}: {apart}")


def _compare_assay(part: Part, name: str) -> float:
    found = []
    for device in (CPU, part.device):
        description, dataset = catalog.descriptions()[name], toy()
        built = ToyMaps() if description.codes.places else model(MODELS["VAE"], SMALL, (1, 8, 8))
        if description.codes.sparse:
            built, dataset = sparse_toy()  # type: ignore[assignment]
        else:
            built.double()
        result = run_assay(small(name), built.to(device), dataset, torch.Generator().manual_seed(0))  # type: ignore[arg-type]
        assert isinstance(result, AssayResult)
        found.append(torch.tensor(list(result.scores.values()), dtype=torch.float64))
    assert found[0].isnan().equal(found[1].isnan()), "other scores are undefined than on the CPU"
    apart = (found[1] - found[0]).abs() / found[0].abs().clamp(min=1e-6)
    return apart.nan_to_num(0, 0, 0).max().item()


PARTS: dict[str, Callable[[Part], None]] = {
    part.__name__: part for part in (machine, tests, waits, agreement, assays, responses, throughput, training)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=float, default=60)
    told = parser.parse_args()
    part = Part(
        choose_device("cpu" if told.cpu else "cuda", "device"), told.quick, time.monotonic() + told.seconds, told.store
    )
    try:
        PARTS[told.part](part)
    except Exception as error:
        part.check(False, f"{type(error).__name__}: {error}")
        raise


if __name__ == "__main__":
    main()

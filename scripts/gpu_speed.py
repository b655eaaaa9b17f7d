"""Parts of scripts/gpu_check.py that measure: responses, steps of training, and trainings on 3D Shapes."""

from __future__ import annotations

import math
import os
import tempfile
import time
from pathlib import Path

import torch
from benchrate import now, operations
from gpu_models import LATENTS, MODELS, Noise, Part, Watcher, model, settings
from torch import nn
from toy_assays import toy

from lrx.assays.response_matrix.assay import Settings
from lrx.assays.run import run_assay
from lrx.core.devices import configure_backends
from lrx.core.types import AssayResult, Autoencoder, Dataset, Trainable
from lrx.core.validation import SettingError
from lrx.data.shapes3d import shapes3d
from lrx.responses.bf16 import InBf16
from lrx.responses.latent_response import respond
from lrx.training.loop import TrainSettings, train

COMPILING = 60.0  # seconds that a compiled training needs to be begun
BESIDE = 8.0  # seconds of a training on 3D Shapes beside its steps
WARM_UP = 10  # steps that are not counted


def responses(part: Part) -> None:
    """Time responses in batches, and a response matrix, in float32 and bf16."""
    number = 16 if part.quick else 16_384 if part.device.type == "cuda" else 512
    for network, factory in part.networks("conv64", "conv12", "conv5").items():
        built = model(MODELS["VAE"], factory, part.shape)
        cost = operations(lambda built=built: respond(built, torch.zeros(4, LATENTS), batch_size=4)) / 4
        built.to(part.device, memory_format=torch.channels_last).eval().requires_grad_(False)
        configure_backends(part.device, tf32=False, repeatable=False)
        for dtype, precision in ((torch.float32, "float32"), (torch.bfloat16, "bf16")):
            form = InBf16(built) if precision == "bf16" else built
            for batch in (16,) if part.quick else (128, 1024):
                z_ND = torch.randn(number, LATENTS, device=part.device)
                respond(form, z_ND[:batch], batch_size=batch)
                part.forget_memory()
                began = now(part.device)
                respond(form, z_ND, batch_size=batch)
                _row(part, network, precision, f"batches of {batch}", number, now(part.device) - began, cost, dtype)
            _time_matrix(part, network, precision, built, cost, dtype)


def _time_matrix(part: Part, network: str, precision: str, built: nn.Module, cost: float, dtype: torch.dtype) -> None:
    samples = 256 if part.quick or part.device.type == "cpu" else 2048
    told = Settings(num_samples=samples, max_samples=samples, precision=precision, base="prior")
    data: Dataset = toy() if part.quick else Noise(part.shape, 64)
    assert isinstance(built, Autoencoder)
    part.forget_memory()
    began = now(part.device)
    result = run_assay(told, built, data, torch.Generator().manual_seed(0))
    assert isinstance(result, AssayResult)
    _row(part, network, precision, "response_matrix", samples * (LATENTS + 1), now(part.device) - began, cost, dtype)


def _row(
    part: Part, network: str, precision: str, what: str, number: int, seconds: float, cost: float, dtype: torch.dtype
) -> None:
    peak = part.memory()  # before the rates are measured, which takes more
    part.row(
        network=network,
        precision=precision,
        what=what,
        responses_a_second=number / seconds,
        of_the_matrix_rate=_share(part, number * cost / seconds, dtype),
        peak_memory_MiB=peak,
    )


def _share(part: Part, rate: float, dtype: torch.dtype) -> str:
    return f"{100 * rate / part.rates[dtype]:.2g} %"


class TimeUp(Exception):
    """End of a training whose time is up."""


class Clock:
    """Time of the steps after the first `WARM_UP`, until `seconds` of them have passed."""

    def __init__(self, part: Part, seconds: float) -> None:
        self._part, self._seconds = part, seconds
        self._created = time.perf_counter()
        self.warm_up_s = self.step_s = 0.0
        self.steps = 0

    def __call__(self, done: int) -> None:
        """Take note of a step; TimeUp at the end."""
        if done == WARM_UP:
            self._part.forget_memory()
            self._began = now(self._part.device)
            self.warm_up_s = self._began - self._created
        elif done > WARM_UP and done % 10 == 0 and time.perf_counter() - self._began >= self._seconds:
            self.steps = done - WARM_UP
            self.step_s = (now(self._part.device) - self._began) / self.steps
            raise TimeUp


def throughput(part: Part) -> None:
    """Time steps of training in bf16, all networks and batches before the compiled ones."""
    for compiled in (False,) if part.quick else (False, True):
        for network, factory in part.networks("conv64", "conv12").items():
            for batch in part.batches:
                cells = {"network": network, "batch": batch, "compiled": "yes" if compiled else "no"}
                if compiled and part.left < COMPILING:
                    part.row(**cells, note="no time was left")
                    continue
                built = model(MODELS["VAE"], factory, part.shape)
                cost = _cost_of_step(built, part.shape)
                told = settings(steps=10**9, batch_size=batch, precision="bf16", compile=compiled)
                clock = Clock(part, 0.01 if part.quick else 5.0)
                try:
                    train_until(built.to(part.device), Noise(part.shape), told, Watcher(clock))
                except SettingError as error:  # no compiler
                    part.row(**cells, note=str(error))
                    continue
                peak = part.memory()
                part.row(
                    **cells,
                    ms_a_step=1000 * clock.step_s,
                    images_a_second=batch / clock.step_s,
                    of_the_matrix_rate=_share(part, batch * cost / clock.step_s, torch.bfloat16),
                    peak_memory_MiB=peak,
                    warm_up_s=clock.warm_up_s,
                )


def _cost_of_step(built: nn.Module, shape: tuple[int, ...]) -> float:
    """Return the operations of a step per image, of a model on the CPU."""
    assert isinstance(built, Trainable)
    x, chance = torch.rand(4, *shape), torch.Generator()
    cost = operations(lambda: built.loss(x, step=0, generator=chance)["loss"].backward()) / 4
    built.zero_grad(set_to_none=True)
    return cost


def train_until(built: nn.Module, data: Dataset, told: TrainSettings, watcher: Watcher) -> None:
    """Train until the watcher raises TimeUp."""
    assert isinstance(built, Trainable)
    with tempfile.TemporaryDirectory() as folder:
        try:
            train(built, data, told, seed=0, path=Path(folder, "checkpoint.pt"), observer=watcher)
        except TimeUp:
            return


def training(part: Part) -> None:
    """Train SAE-12, VLAE-12 and VAE on rendered 3D Shapes, in a third of the time each; count informative latents."""
    began = time.perf_counter()
    data: Dataset = toy() if part.quick else shapes3d(root=os.environ.get("LRX_DATA", "data"), source="rendered")
    part.row(what="images to be ready", seconds=time.perf_counter() - began)
    [(network, factory)] = part.networks("conv12").items()
    for place, (name, kind) in enumerate(MODELS.items()):
        built, batch = model(kind, factory, part.shape), 16 if part.quick else 128
        cost = _cost_of_step(built, part.shape)
        share_s = part.left / (len(MODELS) - place)
        clock = Clock(part, 0.01 if part.quick else max(5.0, share_s - BESIDE))
        watcher = Watcher(clock)
        told = settings(steps=10**9, batch_size=batch, precision="bf16", log_every=10 if part.quick else 100)
        train_until(built.to(part.device), data, told, watcher)
        peak, losses = part.memory(), watcher.losses or [math.nan]  # a slow card may not get to the first log
        result = run_assay(Settings(num_samples=256), built, data, torch.Generator().manual_seed(0))
        assert isinstance(result, AssayResult)
        part.row(
            what=f"{name}, {network}",
            seconds=clock.step_s * clock.steps,
            steps=clock.steps + WARM_UP,
            ms_a_step=1000 * clock.step_s,
            ms_of_data=1000 * _data_s(data, batch),
            of_the_matrix_rate=_share(part, batch * cost / clock.step_s, torch.bfloat16),
            peak_memory_MiB=peak,
            first_loss=losses[0],
            last_loss=losses[-1],
            informative_latents=int(result.scores["num_informative"]),
        )


def _data_s(data: Dataset, batch: int) -> float:
    """Return the seconds that a batch of random images takes, read alone."""
    order = torch.randperm(len(data))[: 20 * batch]
    began = time.perf_counter()
    for indices in torch.split(order, batch):
        data.raw(indices)
    return (time.perf_counter() - began) / max(1, len(order) // batch)

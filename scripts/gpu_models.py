"""What the parts of scripts/gpu_check.py share: rows and time of a part, models, images, and settings of trainings."""

from __future__ import annotations

import functools
import json
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from benchrate import convolution_rate, product_rate
from torch import Tensor, nn

from lrx.models.network import NetworkFactory
from lrx.models.networks.conv5 import conv5
from lrx.models.networks.conv12 import conv12
from lrx.models.networks.conv64 import conv64
from lrx.models.networks.mlp import mlp
from lrx.models.sae import SAE
from lrx.models.vae import VAE
from lrx.models.vlae import VLAE
from lrx.training.loop import TrainSettings

LATENTS, SHAPE = 12, (3, 64, 64)
NETWORKS: dict[str, NetworkFactory] = {"conv64": conv64, "conv12": conv12, "conv5": conv5}
SMALL = functools.partial(mlp, hidden=[16, 16], activation="elu", spread="log_std")  # of --quick, of one channel
COMMON = {"latent_dim": LATENTS, "reconstruction": "bernoulli", "variance": 1.0}
MODELS: dict[str, Callable[..., nn.Module]] = {
    "SAE-12": functools.partial(SAE, levels=12, **COMMON),
    "VLAE-12": functools.partial(VLAE, levels=12, kl="exact", **COMMON),
    "VAE": functools.partial(VAE, kl="exact", **COMMON),
}


@dataclass
class Part:
    """Device and time of a part, and its rows and faults, which are stored whenever one is added.

    quick: tiny sizes. ends: by time.monotonic().
    """

    device: torch.device
    quick: bool
    ends: float
    store: Path
    rows: list[dict[str, object]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def row(self, **cells: object) -> None:
        """Add a row; underscores of names are blanks in the table."""
        self.rows.append({name.replace("_", " "): cell for name, cell in cells.items()})
        self._write()

    def check(self, holds: bool, text: str) -> None:
        """Add a fault unless a condition holds."""
        if not holds:
            self.wrong.append(text)
            self._write()

    def _write(self) -> None:
        beside = self.store.with_suffix(".new")
        beside.write_text(json.dumps({"rows": self.rows, "wrong": self.wrong}), encoding="utf-8")
        beside.replace(self.store)

    @property
    def left(self) -> float:
        """Seconds until the part should end."""
        return self.ends - time.monotonic()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of images."""
        return (1, 8, 8) if self.quick else SHAPE

    def networks(self, *names: str) -> dict[str, NetworkFactory]:
        """Return networks by name; a small one of --quick."""
        return {"mlp": SMALL} if self.quick else {name: NETWORKS[name] for name in names}

    @functools.cached_property
    def rates(self) -> dict[torch.dtype, float]:
        """Matrix rates in float32 and bf16, in operations per second, as scripts/benchrate.py measures them."""
        device, side, batch = self.sizes
        return {
            dtype: max(
                product_rate(dtype, torch.get_num_threads(), device, side=side),
                convolution_rate(dtype, torch.get_num_threads(), device, batch=batch),
            )
            for dtype in DTYPES
        }

    @property
    def batches(self) -> tuple[int, ...]:
        """Batch sizes with which steps of training are timed."""
        return (16,) if self.quick else (64, 1024) if self.device.type == "cuda" else (16, 64)

    @property
    def sizes(self) -> tuple[torch.device, int, int]:
        """Device, side of matrices and batch of images with which its rates are measured."""
        side, batch = (64, 1) if self.quick else (8192, 512) if self.device.type == "cuda" else (2048, 32)
        return self.device, side, batch

    def forget_memory(self) -> None:
        """Start to look for the peak of memory again, where the device can."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def memory(self) -> int:
        """Return the peak of memory in MiB: of the card, or of this process since it started."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) >> 20
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


DTYPES = (torch.float32, torch.bfloat16)


class Noise:
    """Images of noise in memory, with channels last, as data sets keep them."""

    name, source, fingerprint = "noise", "made", "noise"

    def __init__(self, shape: tuple[int, ...], count: int = 4096) -> None:
        channels, height, width = shape
        self.observation_shape = shape
        chance = torch.Generator().manual_seed(0)
        self.pixels = torch.randint(256, (count, height, width, channels), dtype=torch.uint8, generator=chance)

    def __len__(self) -> int:
        return len(self.pixels)

    def raw(self, indices: Tensor) -> Tensor:
        return self.pixels[indices].permute(0, 3, 1, 2)


class Watcher:
    """Observer that keeps the losses that are logged, and calls a function after each step."""

    def __init__(self, on_step: Callable[[int], object] = lambda step: None) -> None:
        self.losses: list[float] = []
        self.step = on_step

    def start(self, step: int) -> None:
        pass

    def log(self, step: int, row: Mapping[str, float]) -> None:
        self.losses.append(row["loss"])

    def close(self) -> None:
        pass


def model(kind: Callable[..., nn.Module], network: NetworkFactory, shape: tuple[int, ...]) -> nn.Module:
    """Return an untrained model on the CPU, its weights from one seed."""
    torch.manual_seed(0)
    return kind(network=network, observation_shape=shape)


def settings(*, steps: int, batch_size: int, **others: object) -> TrainSettings:
    """Return settings of plain Adam, without logs and checkpoints unless asked for."""
    return TrainSettings(
        steps=steps, batch_size=batch_size, **{"log_every": 10**9, "checkpoint_every": 10**9, **others}
    )  # type: ignore[arg-type]

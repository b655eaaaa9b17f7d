"""Data and models with known answers, and settings of a short training, which several test files share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.core.types import AssayResult
from lrx.training.loop import TrainSettings

# A few small steps; a test says what it wants otherwise by `replace(TRAINING, ...)`.
TRAINING = TrainSettings(
    steps=8,
    batch_size=32,
    lr=0.01,
    betas=[0.9, 0.999],
    amsgrad=False,
    schedule="constant",
    warmup_steps=0,
    clip=None,
    precision="float32",
    compile=False,
    channels_last=True,
    checkpoint_every=8,
    log_every=8,
    device="cpu",
)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """One thread, wherever this is imported: tensors this small are done before a second thread wakes up."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Vectors:
    """Standard normal vectors times `scale`, the same for every instance of one size."""

    name, source, fingerprint = "vectors", "standard normal", "0"

    def __init__(self, count: int = 4000, dim: int = 3, scale: float = 1.0) -> None:
        self.points = scale * torch.randn(count, dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        self.observation_shape: tuple[int, ...] = (dim,)

    def __len__(self) -> int:
        return len(self.points)

    def raw(self, indices: Tensor) -> Tensor:
        return self.points[indices]

    images = raw


class Linear(nn.Module):
    """h(z) = A z + c: the decoder is the matrix and the shift, the encoder does nothing."""

    def __init__(self, matrix: Tensor, shift: float = 0.0) -> None:
        super().__init__()
        self.matrix, self.shift = nn.Parameter(matrix.clone().double()), shift

    def encode(self, x: Tensor) -> Tensor:
        return x

    def decode(self, z: Tensor) -> Tensor:
        return z @ self.matrix.T + self.shift


class Noisy(Linear):
    """The same, with a posterior of this standard deviation."""

    def __init__(self, matrix: Tensor, std: float = 0.5) -> None:
        super().__init__(matrix)
        self.std = std

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.encode(x), torch.full_like(x, self.std)


class Ignoring(Noisy):
    """A decoder that ignores its latents: every code becomes the same observation."""

    def decode(self, z: Tensor) -> Tensor:
        return torch.full_like(z, 0.3)


def stage_inputs(decoder: nn.Module, z: Tensor) -> list[Tensor]:
    """The features that each of a decoder's `stages` is given, then what the decoder gives."""
    seen: list[Tensor] = []
    hooks = [stage.register_forward_pre_hook(lambda _, given: seen.append(given[0])) for stage in decoder.stages]
    with torch.no_grad():
        seen.append(decoder(z))
    for hook in hooks:
        hook.remove()
    return seen


def values(result: AssayResult, name: str = "matrix") -> np.ndarray:
    """The values of an array of a result."""
    return result.arrays[name].values

"""What CUDA must keep: float32 as asked, the CPU's numbers, resuming bit for bit, and steps that wait for nothing.

Every test runs on the CPU; where there is a GPU it is collected a second time, for it. So none is ever skipped.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lrx.assays.response_matrix.assay import Settings
from lrx.assays.run import run_assay
from lrx.core.devices import configure_backends, to_device
from lrx.core.types import AssayResult, Trainable, as_float
from lrx.models.betavae import BetaVAE
from lrx.training.loop import TrainSettings, train
from tests.cli.test_configs import GROUPS, ToyGrid, model_from
from tests.support.observers import Callbacks
from tests.training.test_loop import SETTINGS, Killed, assert_same, helix_model, kill_at

DEVICES = [torch.device(name) for name in (["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"])]
PROTOTYPE = "Synchronization debug mode is a prototype feature and does not yet detect all synchronizing operations"
on_each_device = pytest.mark.parametrize("device", DEVICES, ids=str)


@pytest.fixture(autouse=True)
def flags() -> Iterator[None]:
    """Each test leaves torch's process-wide flags as it found them."""
    cuda, cudnn = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    deterministic, algorithms = torch.backends.cudnn.deterministic, torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = cuda, cudnn
    torch.backends.cudnn.deterministic = deterministic
    torch.use_deterministic_algorithms(algorithms)
    torch.utils.deterministic.fill_uninitialized_memory = filled


class NothingReadBack(TorchDispatchMode):
    """Refuses what makes the CPU wait for a GPU: reading a value, and shapes that depend on values."""

    waiting = (
        torch.ops.aten._local_scalar_dense.default,
        torch.ops.aten.nonzero.default,
        torch.ops.aten.masked_select.default,
    )

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        assert func not in self.waiting, f"{func} waits for the device"
        return func(*args, **(kwargs or {}))


@contextmanager
def cuda_refuses_to_wait() -> Iterator[None]:
    try:
        with warnings.catch_warnings():  # which are errors here, and torch says once that its mode is a prototype
            warnings.filterwarnings("ignore", "Synchronization debug mode is a prototype")
            torch.cuda.set_sync_debug_mode("error")
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def refusing_to_wait(device: torch.device) -> AbstractContextManager[object]:
    return cuda_refuses_to_wait() if device.type == "cuda" else NothingReadBack()


class Rows:
    """Points whose reading looks at no index, as data sets do on the CPU, where NothingReadBack would take offence."""

    name, source, fingerprint, observation_shape = "rows", "made in the test", "rows", (3,)
    rows = torch.randn(256, 3, generator=torch.Generator().manual_seed(0))

    def __len__(self) -> int:
        return len(self.rows)

    def raw(self, indices: torch.Tensor) -> torch.Tensor:
        return self.rows[indices]


def fit(path: Path, device: torch.device, settings: TrainSettings = SETTINGS, **callbacks: object) -> BetaVAE:
    model, data = helix_model().to(device), Rows()
    train(model, data, settings, seed=3, path=path, config="text", observer=Callbacks(**callbacks))  # type: ignore[arg-type]
    return model


@on_each_device
@pytest.mark.parametrize("tf32", [False, True])
def test_tf32_for_all_products_or_none(device: torch.device, tf32: bool) -> None:
    configure_backends(device, tf32=not tf32, repeatable=False)
    configure_backends(device, tf32=tf32, repeatable=False)
    assert torch.backends.cuda.matmul.allow_tf32 is tf32
    assert torch.backends.cudnn.allow_tf32 is tf32


@on_each_device
@pytest.mark.parametrize(("precision", "tf32"), [("float32", False), ("bf16", False), ("auto", False), ("tf32", True)])
def test_training_rounds_float32_only_when_asked(
    device: torch.device, precision: str, tf32: bool, tmp_path: Path
) -> None:
    configure_backends(device, tf32=not tf32, repeatable=False)
    fit(tmp_path / "c.pt", device, replace(SETTINGS, steps=2, precision=precision))
    assert torch.backends.cuda.matmul.allow_tf32 is tf32
    assert torch.backends.cudnn.allow_tf32 is tf32


@on_each_device
def test_float32_products_are_exact_to_float32(device: torch.device) -> None:
    configure_backends(device, tf32=False, repeatable=False)
    chance = torch.Generator().manual_seed(0)
    a, b = (torch.randn(256, 256, generator=chance, dtype=torch.float64) for _ in range(2))
    product = (a.float().to(device) @ b.float().to(device)).cpu().double()
    assert (product - a @ b).abs().max() < 1e-4  # rounding to TF32's 10 bits makes it 1e-2


@on_each_device
def test_the_response_matrix_is_that_of_the_cpu(device: torch.device) -> None:
    configure_backends(device, tf32=False, repeatable=False)
    data, found = ToyGrid((1, 64, 64)), []
    settings = Settings(base="posterior", num_samples=8, draws="independent", max_samples=8, batch_size=8)
    for place in (torch.device("cpu"), device):
        model = model_from("model=vae", "latent_dim=4", dataset=data).to(place).eval()
        result = run_assay(settings, model, data, torch.Generator().manual_seed(0))
        assert isinstance(result, AssayResult)
        found.append(torch.as_tensor(result.arrays["matrix"].values))
    torch.testing.assert_close(found[1], found[0], rtol=1e-3, atol=1e-6)


@on_each_device
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_killed_run_equals_uninterrupted(device: torch.device, precision: str, tmp_path: Path) -> None:
    settings = replace(SETTINGS, precision=precision, clip=1.0)
    whole = fit(tmp_path / "whole.pt", device, settings)
    with pytest.raises(Killed):
        fit(tmp_path / "cut.pt", device, settings, on_step=kill_at(7))
    assert_same(fit(tmp_path / "cut.pt", device, settings), whole)


@on_each_device
def test_steps_between_logs_wait_for_nothing(device: torch.device, tmp_path: Path) -> None:
    seen: list[int] = []
    with ExitStack() as stack:

        def on_step(done: int) -> None:
            seen.append(done)
            if done == 2:  # the first steps allocate
                stack.enter_context(refusing_to_wait(device))
            if done == 11:  # the last one logs and saves
                stack.close()

        settings = replace(SETTINGS, log_every=12, checkpoint_every=12, clip=1.0, schedule="cosine")
        fit(tmp_path / "c.pt", device, settings, on_step=on_step)
    assert seen == list(range(1, 13))


@on_each_device
@pytest.mark.parametrize("model", GROUPS["model"])
def test_no_loss_waits_for_the_device(model: str, device: torch.device) -> None:
    data = ToyGrid((1, 8, 8))
    built = model_from(f"model={model}", "network=mlp", "network.hidden=[16,16]", "latent_dim=6", dataset=data)
    assert isinstance(built, Trainable)
    built.to(device)
    x, generator = as_float(data.raw(torch.arange(8))).to(device), torch.Generator(device).manual_seed(0)
    built.loss(x, step=0, generator=generator)["loss"].backward()  # what is made once may wait
    with refusing_to_wait(device):
        built.loss(x, step=1, generator=generator)["loss"].backward()


def test_refusing_to_wait_refuses_to_read_a_value() -> None:
    with pytest.raises(AssertionError, match="waits for the device"), NothingReadBack():
        torch.ones(3).sum().item()


def test_refusing_to_wait_hears_no_prototype(monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[str] = []

    def sets(mode: str) -> None:
        if not modes:
            warnings.warn(PROTOTYPE, stacklevel=2)
        modes.append(mode)

    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", sets)
    with cuda_refuses_to_wait():
        assert modes == ["error"]
    assert modes == ["error", "default"]


@on_each_device
def test_bytes_travel_as_they_are(device: torch.device) -> None:
    pixels = torch.arange(256, dtype=torch.uint8)
    there = to_device(pixels, device)
    assert (there.device.type, there.dtype) == (device.type, torch.uint8)
    assert torch.equal(there.cpu(), pixels)


def test_a_move_to_the_cpu_costs_nothing() -> None:
    pixels = torch.arange(256, dtype=torch.uint8)
    assert to_device(pixels, torch.device("cpu")) is pixels


if torch.cuda.is_available():  # there is no CPU half of these

    def test_moves_to_a_gpu_do_not_wait() -> None:
        pixels = torch.arange(256, dtype=torch.uint8)
        to_device(pixels, torch.device("cuda"))
        with cuda_refuses_to_wait():
            to_device(pixels, torch.device("cuda"))

    @torch.inference_mode()
    def test_a_response_can_be_a_cuda_graph() -> None:
        configure_backends(torch.device("cuda"), tf32=False, repeatable=False)
        model = model_from("model=vae", "latent_dim=4", dataset=ToyGrid((1, 64, 64))).to("cuda").eval()
        z, other = torch.zeros(8, 4, device="cuda"), torch.ones(8, 4, device="cuda")
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            model.encode(model.decode(z))
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            response = model.encode(model.decode(z))
        z.copy_(other)
        graph.replay()
        torch.testing.assert_close(response, model.encode(model.decode(other)))

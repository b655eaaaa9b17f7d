"""What a step would wait for on a GPU, found where there is none: on torch's meta device, whose tensors hold no values.

torch itself refuses to read a value there, or to give a tensor a shape that depends on values. What comes from the CPU
is refused here: from memory that is not pinned such a copy waits for the whole queue, and no CUDA graph can hold it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lrx.core.types import Trainable
from tests.cli.test_configs import GROUPS, ToyGrid, image_side, model_from

AFAR = torch.device("meta")


class NoCopies(TorchDispatchMode):
    """Refuses operations that bring a CPU tensor to another device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        found = func(*args, **(kwargs or {}))
        devices = {leaf.device.type for leaf in tree_leaves((args, kwargs, found)) if isinstance(leaf, Tensor)}
        assert len(devices) < 2, f"{func} joins {' and '.join(sorted(devices))}"
        return found


class NoNumbers(TorchFunctionMode):
    """Refuses tensors of Python's numbers, which are made on the CPU and then copied; `full` is not among them."""

    makers = (torch.tensor, torch.as_tensor, torch.asarray, Tensor.new_tensor)

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        assert func not in self.makers, f"{func.__name__} copies from the CPU"
        return func(*args, **(kwargs or {}))


@contextmanager
def nothing_from_the_cpu() -> Iterator[None]:
    with NoNumbers(), NoCopies():
        yield


@pytest.fixture
def unchanged_kernels() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


def assert_nothing_is_waited_for(model: nn.Module, x: Tensor) -> None:
    """Training takes repeatable kernels, for which some layers have other forms; assays take the usual ones."""
    for repeatable in (False, True):
        torch.use_deterministic_algorithms(repeatable, warn_only=True)
        model.zero_grad()
        assert_step_waits_for_nothing(model, x)


def assert_step_waits_for_nothing(model: nn.Module, x: Tensor) -> None:
    assert isinstance(model, Trainable)
    generator = torch.Generator()  # of the CPU, as there are none elsewhere; nothing is drawn
    with nothing_from_the_cpu():
        losses = model.loss(x, step=1, generator=generator)
        losses["loss"].backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        with torch.no_grad():
            assert model.encode(model.decode(model.encode(x))).device == AFAR
    assert {loss.device for loss in losses.values()} == {AFAR}
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.usefixtures("unchanged_kernels")
@pytest.mark.parametrize("model", GROUPS["model"])
def test_objectives_do_not_wait(model: str) -> None:
    data = ToyGrid((1, 8, 8))
    with AFAR:
        built = model_from(f"model={model}", "network=mlp", "network.hidden=[16,16]", "latent_dim=6", dataset=data)
    assert_nothing_is_waited_for(built.to(AFAR), torch.rand(8, 1, 8, 8, device=AFAR))


@pytest.mark.usefixtures("unchanged_kernels")
@pytest.mark.parametrize("network", GROUPS["network"])
def test_networks_do_not_wait(network: str) -> None:
    side = image_side(network)
    with AFAR:
        built = model_from("model=vae", f"network={network}", dataset=ToyGrid((3, side, side)))
    assert_nothing_is_waited_for(built.to(AFAR), torch.rand(2, 3, side, side, device=AFAR))


def test_waiting_operations_raise() -> None:
    x = torch.zeros(3, device=AFAR)
    with pytest.raises(RuntimeError, match="meta"):
        x.sum().item()
    with pytest.raises(NotImplementedError, match="nonzero"):
        x[x > 0]
    for make in (lambda: torch.tensor([1.0], device=AFAR), lambda: x.new_tensor(1.0)):
        with pytest.raises(AssertionError, match="copies from the CPU"), nothing_from_the_cpu():
            make()
    with pytest.raises(AssertionError, match="joins cpu and meta"), nothing_from_the_cpu():
        torch.zeros(3).to(AFAR)

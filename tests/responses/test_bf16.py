"""Passes in bf16: the faster forms of layers agree with float32 as well as torch's own bf16 does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrx.models.networks.conv5 import conv5
from lrx.models.vae import VAE
from lrx.responses.bf16 import InBf16, QuickKernels

Work = Callable[[Tensor], Tensor]
LAST = torch.channels_last

LAYERS: dict[str, tuple[Work, tuple[int, ...]]] = {
    "elu": (F.elu, (2, 8, 6, 6)),
    "elu of a vector": (F.elu, (2, 8)),
    "elu in place": (lambda x: nn.ELU(inplace=True)(x.clone()), (2, 8, 6, 6)),
    "elu with alpha": (partial(F.elu, alpha=0.5), (2, 8, 6, 6)),
    "halving pool": (nn.MaxPool2d(2), (2, 8, 6, 10)),
    "pool with a stride": (nn.MaxPool2d(2, stride=1), (2, 8, 6, 6)),
    "wide pool": (nn.MaxPool2d(3, stride=2, padding=1), (2, 8, 6, 6)),
    "pool of odd images": (nn.MaxPool2d(2), (2, 8, 5, 5)),
    "norm of small maps": (nn.GroupNorm(4, 8), (2, 8, 6, 6)),
    "norm of large maps": (nn.GroupNorm(4, 8), (2, 8, 32, 32)),
    "norm of vectors": (nn.GroupNorm(4, 8), (2, 8)),
    "elu of no images": (F.elu, (0, 8, 6, 6)),
    "halving pool of no images": (nn.MaxPool2d(2), (0, 8, 6, 6)),
    "norm of no images": (nn.GroupNorm(4, 8), (0, 8, 6, 6)),
    "halving pool of one image": (nn.MaxPool2d(2), (8, 6, 6)),
    "halving pool with names": (lambda x: F.max_pool2d(input=x, kernel_size=2), (2, 8, 6, 6)),
    "elu with names": (lambda x: F.elu(input=x), (2, 8, 6, 6)),
    "norm with names": (lambda x: F.group_norm(input=x, num_groups=4), (2, 8, 6, 6)),
    "elu image by image": (torch.func.vmap(F.elu), (2, 8, 6, 6)),
    "halving pool batch by batch": (lambda x: torch.func.vmap(nn.MaxPool2d(2))(x[None])[0], (2, 8, 6, 6)),
    "halving pool image by image": (torch.func.vmap(nn.MaxPool2d(2)), (2, 8, 6, 6)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_round_to_bf16(name: str) -> None:
    work, shape = LAYERS[name]
    x = 4 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    if x.ndim == 4:
        x = x.contiguous(memory_format=LAST)
    x = x.bfloat16()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        exact = work(x.float()).float()
        with QuickKernels():
            ours = work(x)
    assert ours.dtype == torch.bfloat16
    torch.testing.assert_close(ours.float(), exact, rtol=2**-8, atol=2**-7)
    if "pool" in name:
        assert torch.equal(ours.float(), exact)


def test_other_dtypes_take_torch_kernels() -> None:
    x = torch.randn(2, 8, 6, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), QuickKernels():
        torch.testing.assert_close(F.elu(x), F.elu(x.double()).float())
        _, indices = F.max_pool2d(x.bfloat16(), 2, return_indices=True)
    assert indices.dtype == torch.int64


def test_nan_is_kept() -> None:
    x = torch.full((1, 1, 2, 2), float("nan")).bfloat16().contiguous(memory_format=LAST)
    with torch.no_grad(), QuickKernels():
        assert F.elu(x).isnan().all()
        assert F.max_pool2d(x, 2).isnan().all()


@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_inplace_elu(alpha: float) -> None:
    x = torch.tensor([-1.0, 2.0]).bfloat16()
    with torch.no_grad(), QuickKernels():
        expected = F.elu(x, alpha)
        assert x.tolist() == [-1.0, 2.0]
        assert F.elu(x, alpha, inplace=True) is x
    assert torch.equal(x, expected)


def test_group_norm_with_bf16_weights() -> None:
    norm, x = nn.GroupNorm(4, 8).bfloat16(), torch.randn(2, 8, 6, 6).bfloat16()
    with torch.no_grad(), QuickKernels():
        quick = norm(x)
    torch.testing.assert_close(quick, norm(x), rtol=0, atol=0)


def test_gradients_equal_torch() -> None:
    layers = nn.Sequential(nn.Conv2d(8, 8, 1), nn.MaxPool2d(2), nn.GroupNorm(4, 8), nn.ELU(inplace=True))
    layers.to(memory_format=LAST)  # type: ignore[call-overload]
    x = torch.randn(2, 8, 6, 6).contiguous(memory_format=LAST)
    gradients = []
    for mode in (QuickKernels(), nullcontext()):
        with torch.autocast("cpu", torch.bfloat16), mode:
            gradients.append(torch.autograd.grad(layers(x).float().square().sum(), tuple(layers.parameters())))
    for quick, own in zip(*gradients, strict=True):
        assert torch.equal(quick, own)


def test_parameters_without_gradients() -> None:
    x = nn.Parameter(torch.tensor([-1.0, 2.0]).bfloat16())
    with torch.no_grad(), QuickKernels():
        assert F.elu(x).tolist() == pytest.approx([-0.632, 2.0], abs=2**-8)


def test_infinities() -> None:
    x = torch.tensor([float("inf"), float("-inf"), 0.0]).bfloat16()
    with torch.no_grad(), QuickKernels():
        assert F.elu(x).tolist() == [float("inf"), -1.0, 0.0]


def test_responses_of_network_are_near_float32() -> None:
    torch.manual_seed(0)
    model = VAE(
        network=conv5,
        observation_shape=(3, 64, 64),
        latent_dim=4,
        reconstruction="bernoulli",
        variance=1.0,
        kl="exact",
    ).to(memory_format=LAST)
    half, z = InBf16(model.eval()), torch.randn(4, 4)
    with torch.inference_mode():
        exact, rounded = (one.encode(one.decode(z)) for one in (model, half))
        with torch.autocast("cpu", torch.bfloat16):
            usual = model.encode(model.decode(z)).float()
    assert rounded.dtype == torch.float32
    assert (rounded - exact).abs().max() < 2 * (usual - exact).abs().max() + 1e-3


def test_float64_is_unchanged() -> None:
    class Double(nn.Module):
        def encode(self, x: Tensor) -> Tensor:
            return F.elu(x) / 3

        decode = encode

    x = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(InBf16(Double()).encode(x), Double().encode(x))

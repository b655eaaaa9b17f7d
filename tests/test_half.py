"""Passes in bf16: the quicker forms of layers agree with float32 as well as torch's own bf16 does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrx.half import InBf16, QuickKernels
from lrx.models.networks.conv5 import conv5
from lrx.models.vae import VAE

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
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_round_as_bf16_does(name: str) -> None:
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


def test_only_bf16_tensors_are_touched() -> None:
    x = torch.randn(2, 8, 6, 6, generator=torch.Generator().manual_seed(0))
    with QuickKernels():
        torch.testing.assert_close(F.elu(x), F.elu(x.double()).float())
        _, indices = F.max_pool2d(x.bfloat16(), 2, return_indices=True)
    assert indices.dtype == torch.int64


def test_not_a_number_stays_one() -> None:
    x = torch.full((1, 1, 2, 2), float("nan")).bfloat16().contiguous(memory_format=LAST)
    with QuickKernels():
        assert F.elu(x).isnan().all()
        assert F.max_pool2d(x, 2).isnan().all()


def test_infinities_are_those_of_the_functions() -> None:
    x = torch.tensor([float("inf"), float("-inf"), 0.0]).bfloat16()
    with QuickKernels():
        assert F.elu(x).tolist() == [float("inf"), -1.0, 0.0]


def test_responses_of_a_network_with_all_of_them_are_near() -> None:
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

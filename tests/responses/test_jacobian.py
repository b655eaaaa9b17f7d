from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.models.networks.conv5 import conv5
from lrx.models.vae import VAE
from lrx.responses.encoding import CachedEncoder
from lrx.responses.jacobian import (
    columns_function,
    full_jacobian,
    hutchinson_probes,
    jacobian_columns,
    jvp,
    loop_of,
    participation,
    probed_participation,
    probed_trace,
    reverse_columns,
)
from tests.support.models_for_tests import one_thread as one_thread


class Tanh(nn.Module):
    """A nonlinear loop of any size; the encoder changes its argument in place, as inplace layers do."""

    def __init__(self, latents: int = 4) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.out = nn.Parameter(torch.randn(7, latents, generator=generator, dtype=torch.float64))
        self.back = nn.Parameter(torch.randn(latents, 7, generator=generator, dtype=torch.float64) / 3)

    def encode(self, x: Tensor) -> Tensor:
        return nn.functional.elu(x @ self.back.T, inplace=True)

    def decode(self, z: Tensor) -> Tensor:
        return torch.tanh(z @ self.out.T)


def reverse(model: nn.Module, z: Tensor) -> Tensor:
    """Return the Jacobian by reverse mode: (N, k, j)."""
    z = z.clone().requires_grad_()
    h = model.encode(model.decode(z))
    rows = [torch.autograd.grad(h[:, k].sum(), z, retain_graph=True)[0] for k in range(z.shape[1])]
    return torch.stack(rows, dim=1)


def points(count: int, latents: int = 4) -> Tensor:
    return torch.randn(count, latents, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def test_forward_mode_equals_reverse_mode() -> None:
    model, z = Tanh(), points(9)
    h, jacobian = jacobian_columns(loop_of(model), z, [0, 1, 2, 3], batch_size=4)
    assert torch.allclose(h, model.encode(model.decode(z)), rtol=1e-12)
    assert torch.allclose(jacobian, reverse(model, z), rtol=1e-10)
    assert torch.allclose(
        jacobian_columns(loop_of(model), z, [2, 0], batch_size=1)[1], jacobian[:, :, [2, 0]], rtol=1e-10
    )


@pytest.mark.parametrize("batch_size", [1, 16, 512])
def test_full_jacobian_equals_its_columns(batch_size: int) -> None:
    model, z = Tanh(), points(9)
    with torch.inference_mode():
        h, jacobian = full_jacobian(loop_of(model), z, batch_size=batch_size)
    expected = jacobian_columns(loop_of(model), z, [0, 1, 2, 3], batch_size=4)
    assert torch.allclose(h, expected[0], rtol=1e-12)
    assert torch.allclose(jacobian, expected[1], rtol=1e-10)


def test_channels_last_model_is_not_changed() -> None:
    settings = {"observation_shape": (1, 64, 64), "latent_dim": 3, "reconstruction": "bernoulli", "variance": 1.0}
    torch.manual_seed(0)
    model = VAE(kl="exact", network=conv5, **settings)  # type: ignore[arg-type]
    model.double().to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    before = {name: (weight.stride(), weight.clone()) for name, weight in model.named_parameters()}
    z = points(2, 3)
    with torch.inference_mode():
        _, jacobian = jacobian_columns(loop_of(model), z, [0, 1, 2], batch_size=8)
    assert torch.allclose(jacobian, reverse(model, z), rtol=1e-8)
    assert all(module.training for module in model.modules())
    for name, weight in model.named_parameters():
        assert weight.requires_grad
        assert weight.grad is None
        assert weight.stride() == before[name][0]
        assert torch.equal(weight, before[name][1])


def test_cached_encoder_does_not_copy_its_data() -> None:
    class Heavy:
        name = source = fingerprint = "heavy"
        observation_shape = (7,)

        def __len__(self) -> int:
            return 1

        def __deepcopy__(self, memo: object) -> Heavy:
            raise AssertionError("the data set was copied")

    z = points(3)
    cached = CachedEncoder(Tanh(), Heavy())  # type: ignore[arg-type]
    assert torch.equal(jvp(loop_of(cached), z, z, batch_size=8)[1], jvp(loop_of(Tanh()), z, z, batch_size=8)[1])


def test_probed_trace_and_its_errors() -> None:
    model, z = Tanh(), points(200)
    truth = reverse(model, z).diagonal(dim1=1, dim2=2).sum(1)
    _, v, jv = hutchinson_probes(loop_of(model), z, 64, generator=torch.Generator().manual_seed(0), batch_size=512)
    assert torch.equal(v.abs(), torch.ones_like(v))
    trace, se = probed_trace(v, jv)
    errors = (trace - truth) / se
    assert errors.abs().max() < 5
    assert 0.85 < errors.square().mean().sqrt() < 1.15


def test_probes_for_any_batch_size() -> None:
    probes = [
        hutchinson_probes(loop_of(Tanh()), points(10), 5, generator=torch.Generator().manual_seed(0), batch_size=size)[
            1:
        ]
        for size in (3, 100)
    ]
    assert torch.equal(probes[0][0], probes[1][0])
    assert torch.allclose(probes[0][1], probes[1][1], rtol=1e-10)


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_participation_of_equal_directions(rank: int) -> None:
    spectrum = torch.cat([torch.full((2, rank), 0.4), torch.zeros(2, 8 - rank)], dim=1).double()
    assert torch.allclose(participation(spectrum), torch.full((2,), float(rank)).double(), rtol=1e-12)
    v = (torch.randint(0, 2, (500, 8, 48), generator=torch.Generator().manual_seed(0)) * 2 - 1).double()
    jv = v * spectrum[0][None, :, None]
    assert float(probed_participation(jv)[0].mean()) == pytest.approx(rank, rel=0.02)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    "spectrum",
    [[1.0, 0.75], [1.0, 0.98, 0.95, 0.9, 0.8] + 59 * [0.02], np.exp(-np.arange(64) / 4).tolist(), 64 * [1.0]],
)
def test_participation_intervals_cover_the_truth(spectrum: list[float], turned: bool) -> None:
    s, generator = torch.tensor(spectrum, dtype=torch.float64), torch.Generator().manual_seed(1)
    q, _ = torch.linalg.qr(torch.randn(64, 64, generator=generator, dtype=torch.float64))
    transposed = s[:, None] * (q if turned else torch.eye(64, dtype=torch.float64))[: len(s)]
    truth, repeats, errors, offs = float(participation(s[None])), 300, [], []
    for _ in range(repeats):  # a score: a mean over 60 points
        v = (torch.randint(0, 2, (60, 64, 16), generator=generator) * 2 - 1).double()
        ratio, bias = probed_participation(transposed @ v)
        errors.append(math.hypot(float(ratio.std()) / 60**0.5, float(bias.mean())))
        offs.append(float(ratio.mean()) - truth)
    covered = (np.abs(offs) <= 1.96 * np.array(errors)).mean()
    assert covered > 0.95 - 2.5 * math.sqrt(0.05 * 0.95 / repeats)
    assert np.mean(errors) < 2 * np.std(offs)  # not by being far too large
    assert abs(np.mean(offs)) < 0.03 * truth


def test_undefined_participation_and_nan() -> None:
    assert torch.isnan(participation(torch.zeros(1, 3))).all()
    assert all(part.isnan().all() for part in probed_participation(torch.zeros(1, 3, 4)))
    broken = Tanh()
    with torch.no_grad():
        broken.out.fill_(float("nan"))
    with pytest.raises(ValueError, match="not finite"):
        jvp(loop_of(broken), points(2), points(2), batch_size=2)


class Attention(Tanh):
    """Decoder with scaled dot-product attention, which has no forward mode on the CPU."""

    def decode(self, z: Tensor) -> Tensor:
        x_B171 = super().decode(z)[:, None, :, None]
        return nn.functional.scaled_dot_product_attention(x_B171, x_B171 + 1, x_B171.tanh())[:, 0, :, 0]


class GridSample(Tanh):
    """Decoder that samples a row of pixels at places that move with the code."""

    def decode(self, z: Tensor) -> Tensor:
        x_B117 = super().decode(z)[:, None, None]
        places_B172 = torch.stack([x_B117[:, 0] / 2, torch.zeros_like(x_B117[:, 0])], dim=-1)
        return nn.functional.grid_sample(x_B117, places_B172, align_corners=True)[:, 0, 0]


@pytest.mark.parametrize("kind", [Attention, GridSample])
def test_columns_without_forward_mode(kind: type[Tanh]) -> None:
    model = kind()
    loop, z_ND = loop_of(model), torch.rand(3, 4, dtype=torch.float64)
    with pytest.warns(UserWarning, match=r"derivatives \(.*forward AD with .*; derivative=grid needs"):
        columns = columns_function(loop, z_ND[0])
    assert columns is reverse_columns
    h_ND, columns_ND2 = columns(loop, z_ND, [2, 0], batch_size=8)
    torch.testing.assert_close(h_ND, loop(z_ND), rtol=1e-12, atol=1e-12)
    step = 1e-6 * torch.eye(4, dtype=torch.float64)
    for place, latent in enumerate((2, 0)):
        difference_ND = (loop(z_ND + step[latent]) - loop(z_ND - step[latent])) / 2e-6
        torch.testing.assert_close(columns_ND2[:, :, place], difference_ND, rtol=1e-6, atol=1e-8)


def test_columns_take_forward_mode_where_they_can() -> None:
    assert columns_function(loop_of(Tanh()), torch.rand(4, dtype=torch.float64)) is jacobian_columns

from __future__ import annotations

import torch
from torch.distributions import Normal, kl_divergence

from lrx.core.kl import kl_from_standard


def drawn(seed: int) -> torch.Tensor:
    return torch.randn(50, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_kl_equals_torch() -> None:
    mean, log_std = drawn(0), drawn(1)
    expected = kl_divergence(Normal(mean, log_std.exp()), Normal(torch.zeros_like(mean), torch.ones_like(mean)))
    assert torch.allclose(kl_from_standard(mean, 2 * log_std), expected, rtol=1e-12, atol=1e-14)


def test_kl_from_other_gaussian_by_shift_and_scale() -> None:
    mean, log_std, other_mean, other_log_std = map(drawn, range(4))
    expected = kl_divergence(Normal(mean, log_std.exp()), Normal(other_mean, other_log_std.exp()))
    found = kl_from_standard((mean - other_mean) / other_log_std.exp(), 2 * (log_std - other_log_std))
    assert torch.allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_variance_zero_gives_infinity() -> None:
    assert kl_from_standard(torch.zeros(1), torch.full((1,), -torch.inf)).isposinf().all()

"""Values with long steps more often, and their weights: the same expectations, with smaller errors."""

from __future__ import annotations

import numpy as np
import scipy.integrate
import scipy.stats
import torch

from lrx.responses.long_steps import SHARE, quantile, weight


def density(v: float, z: float) -> float:
    return float(scipy.stats.norm.pdf(v) / weight(torch.tensor(v), torch.tensor(z)))


def test_quantiles_invert_integral_of_density() -> None:
    for z in (-2.5, 0.0, 0.7, 5.0):
        for value in (-3.0, -0.4, 1.1, 2.6):
            level = scipy.integrate.quad(density, -12, value, args=(z,), points=[0, z])[0]
            found = quantile(torch.tensor([level]).double(), torch.tensor([z]).double())
            assert np.isclose(found.item(), value, atol=1e-6)
        assert np.isclose(scipy.integrate.quad(density, -12, 12, args=(z,), points=[0, z])[0], 1)


def test_weighted_means_are_those_of_the_prior() -> None:
    generator = torch.Generator().manual_seed(0)
    z, levels = torch.randn(200_000, generator=generator).double(), torch.rand(200_000, generator=generator).double()
    v = quantile(levels, z)
    weights = weight(v, z)
    assert weights.max() <= 1 / SHARE
    cases = {1.0: torch.ones_like(v), 2.0: (v - z).square(), 0.5: ((v > 0) != (z > 0)).double()}
    for truth, squares in cases.items():
        found = (weights * squares).double()
        assert abs(found.mean() - truth) < 4.5 * found.std() / len(found) ** 0.5
    assert (weights * (v - z).square()).var() < 4  # of draws of the prior, 2 times chi-squared: 8

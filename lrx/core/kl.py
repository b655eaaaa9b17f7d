"""KL divergence of diagonal Gaussians: KL(N(m, v) || N(0, 1)) = 1/2 (m^2 + v - log v - 1) for each dimension.

Source: Kingma and Welling 2014, "Auto-Encoding Variational Bayes", appendix B. The KL from another Gaussian N(n, w) is
that of N((m - n) / w^1/2, v / w) from N(0, 1), because shifting and scaling both sides alike changes no KL.
"""

from __future__ import annotations

from torch import Tensor


def kl_from_standard(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the KL of N(mean, exp(log_variance)) from N(0, 1) in nats, elementwise; infinite for variance 0.

    >>> import torch
    >>> kl_from_standard(torch.tensor([0.0, 2.0]), torch.zeros(2))
    tensor([0., 2.])
    """
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1)

"""Maximum mean discrepancy of two samples: MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y) (Gretton et al. 2012).

The estimate is the unbiased one (lemma 6): pairs of a point with itself are left out, so for two samples of one
distribution it is 0 on average, and may be negative. N and M points, D latents.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Kernel = Callable[[Tensor, int], Tensor]
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # as in the code published with Tolstikhin et al. 2018


def mmd(x_ND: Tensor, y_MD: Tensor, kernel: Kernel) -> Tensor:
    """Return the squared MMD of x (N, D) and y (M, D) as a scalar, in units of the kernel.

    ValueError for samples of one point, which have no pairs.
    """
    n, m, latent_dim = len(x_ND), len(y_MD), x_ND.shape[1]
    if min(n, m) < 2:
        raise ValueError("the maximum mean discrepancy needs batches of at least 2 images; raise batch_size")
    xx_NN, yy_MM, xy_NM = (
        kernel(_squared_distances(a, b), latent_dim) for a, b in ((x_ND, x_ND), (y_MD, y_MD), (x_ND, y_MD))
    )
    within_x = (xx_NN.sum() - xx_NN.diagonal().sum()) / (n * (n - 1))
    within_y = (yy_MM.sum() - yy_MM.diagonal().sum()) / (m * (m - 1))
    return within_x + within_y - 2 * xy_NM.mean()


def rbf(squared_distances: Tensor, latent_dim: int) -> Tensor:
    """Return exp(-|a - b|^2 / D^2), with the width of the code published with Zhao et al. 2019."""
    return (-squared_distances / latent_dim**2).exp()


def inverse_multiquadratic(squared_distances: Tensor, latent_dim: int) -> Tensor:
    """Return the sum over SCALES s of C / (C + |a - b|^2), C = 2 D s; 2 D is the mean |a - b|^2 of standard normals.

    Tolstikhin et al. 2018, section 4 and published code.
    """
    total = squared_distances.new_zeros(())
    for scale in SCALES:
        c = 2 * latent_dim * scale
        total = total + c / (c + squared_distances)
    return total


def _squared_distances(x_ND: Tensor, y_MD: Tensor) -> Tensor:
    # Differences, not a matrix product, which autocast would round to bfloat16.
    return (x_ND[:, None] - y_MD).square().sum(dim=2)

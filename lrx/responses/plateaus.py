"""Differences of the response beside its Jacobian, for what derivatives do not show: plateaus, and steps.

A response that is constant between jumps, as with binary or quantised latents, has the derivative 0 at every point; a
straight-through estimator has a derivative that its response does not have. Both show where h itself is compared:
wide, over one standard deviation of a latent to each side, and narrow, over a small step along a random direction.
N points, D latents, K products: vectors v of each point, and J^T v.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lrx.core.text import join_names
from lrx.core.types import Autoencoder
from lrx.responses.latent_response import intervene, respond

POINTS = 64  # points at which a latent is moved
NARROW = 0.01  # step in root mean squares of the points: curvature still makes little difference, and rounding too
LEAST = 0.01  # change of the response, per unit of a latent, below which it counts as none
PLATEAU = 100  # times that a latent changes the response as much as its derivative says
MISMATCH = 0.5  # of the size of the derivative
UNSEEN = "divergence, spectrum, dimension and participation ratio do not see that; the response matrix does"


def narrow_mismatch(
    autoencoder: Autoencoder, z_ND: Tensor, products: tuple[Tensor, Tensor], direction_ND: Tensor, *, batch_size: int
) -> tuple[float, float]:
    """Return sums over points and vectors of (v . difference - v . J w)^2 and (v . J w)^2, along unit vectors w.

    products: v (N, D, K) and J^T v (N, D, K).
    """
    v_NDK, product_NDK = products
    w_ND = torch.nn.functional.normalize(direction_ND.to(z_ND))
    step = max(NARROW, 32 * torch.finfo(z_ND.dtype).eps) * float(z_ND.square().mean().sqrt().clamp(min=1e-6))
    ahead_ND, behind_ND = (
        respond(autoencoder, z_ND + sign * step * w_ND, batch_size=batch_size).double() for sign in (1, -1)
    )
    seen_NK = torch.einsum("ndk,nd->nk", v_NDK.double(), (ahead_ND - behind_ND) / (2 * step))
    said_NK = torch.einsum("ndk,nd->nk", product_NDK.double(), w_ND.double())
    return float((seen_NK - said_NK).square().sum()), float(said_NK.square().sum())


def plateaus(autoencoder: Autoencoder, z_ND: Tensor, slope_D: Tensor, *, batch_size: int) -> tuple[list[int], float]:
    """Return latents whose derivative is next to 0 though they change the response, and the largest such change.

    slope_D: root mean square over points of |dh/dz_j|. The change is per unit of the latent, over the points (N, D).
    """
    width_D = z_ND.std(0)
    candidates = [latent for latent in range(z_ND.shape[1]) if slope_D[latent] < LEAST and width_D[latent] > 0]
    z_ND = z_ND[torch.linspace(0, len(z_ND) - 1, min(POINTS, len(z_ND))).long()]
    found, largest = [], 0.0
    for latent in candidates:
        ahead_ND, behind_ND = (
            respond(
                autoencoder, intervene(z_ND, latent, z_ND[:, latent] + sign * width_D[latent]), batch_size=batch_size
            )
            for sign in (1, -1)
        )
        distance_N = torch.linalg.vector_norm((ahead_ND - behind_ND).double(), dim=1)
        change = float(distance_N.square().mean().sqrt() / (2 * width_D[latent]))
        if change > max(LEAST, PLATEAU * float(slope_D[latent])):
            found.append(latent)
            largest = max(largest, change)
    return found, largest


def remark_on_plateaus(latents: list[int], change: float) -> str | None:
    """Return what a reader must know of such latents; None where there are none."""
    if not latents:
        return None
    names = join_names([str(latent) for latent in latents], most=8)
    return (
        f"h jumps between plateaus along latent{'s' if len(latents) > 1 else ''} {names}: the derivative is 0 at the "
        f"points, and yet the response changes by up to {change:.2g} per unit of the latent; {UNSEEN}"
    )


def remark_on_mismatch(difference: float, derivative: float) -> str | None:
    """Return what a reader must know where small steps change h otherwise than derivatives say; None where they agree.

    difference, derivative: root mean squares.
    """
    if difference <= max(LEAST, MISMATCH * derivative):
        return None
    return (
        f"small steps change h otherwise than its derivatives say (difference {difference:.2g}, derivative "
        f"{derivative:.2g}), as where codes are rounded and gradients pass straight through; divergence, spectrum, "
        "dimension and participation ratio are those of the derivatives, the response matrix is that of h"
    )

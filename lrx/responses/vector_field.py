"""Divergence and mean curvature of a vector field u on a plane: from its values on a grid, or from its Jacobian.

div u = du_1/dx_1 + du_2/dx_2, per unit of x: below 0 the field contracts. Mean curvature = -1/2 div(u/|u|), with
div(u/|u|) = (div u)/|u| - (u . J u)/|u|^3. Source: Leeb et al. 2022 (arXiv 2106.16091), section 3.
A grid is (2, n, n): component, then x_2 along the rows and x_1 along the columns, as a picture with its origin below.
In a plane of two latents u is h(z) - z, of D latents the two; N = n * n points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

SMALLEST = 6  # points a side from which every other point still has a one-sided difference of second order
ROUNDING = 64  # a point where |u| is at most this many float32 roundings of the largest latent is a fixed point
MAPS = {  # unit and description of what plane_field gives
    "u": ("latent", "h(z) - z in the plane"),
    "magnitude": ("latent", "length of h(z) - z in the plane"),
    "magnitude_full": ("latent", "length of h(z) - z in all dimensions"),
    "divergence": ("1", "divergence of u in the plane"),
    "divergence_error": ("1", "error of the divergence, estimated from the doubled spacing"),
    "curvature": ("1/latent", "mean curvature -1/2 div(u/|u|) in the plane"),
    "curvature_error": ("1/latent", "error of the curvature, estimated from the doubled spacing"),
}


def grid_divergence(u: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the divergence (n, n) of u (2, n, n) by differences, and an estimate (n, n) of its error.

    spacing: between neighbours, in units of x. Central differences, at the edges one-sided ones, all of second order.
    Doubling the spacing then makes the error four times as large, so a third of the change is the error; at the edges,
    where rules mix, the estimate is rough.
    """
    assert min(u.shape[1:]) >= SMALLEST, u.shape
    fine = _divergence(u, spacing)
    coarse = np.empty_like(fine)
    for row in range(2):
        for column in range(2):  # the four grids of every other point
            coarse[row::2, column::2] = _divergence(u[:, row::2, column::2], 2 * spacing)
    return fine, np.abs(coarse - fine) / 3


def grid_curvature(u: np.ndarray, spacing: float, *, smallest: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean curvature (n, n) of u (2, n, n) as in `grid_divergence`, and an estimate of its error.

    NaN where |u| is not above `smallest`: a fixed point has no direction.
    """
    length = np.hypot(*u)
    has_direction = length > smallest
    divergence, error = grid_divergence(u / np.where(has_direction, length, np.inf), spacing)
    return np.where(has_direction, -divergence / 2, np.nan), np.where(has_direction, error / 2, np.nan)


def exact_curvature(u: np.ndarray, jacobian: np.ndarray, *, smallest: float) -> np.ndarray:
    """Return the mean curvature (...) of u (2, ...) by J_ab = du_a/dx_b (2, 2, ...); NaN where |u| <= `smallest`."""
    length = np.hypot(*u)
    has_direction = length > smallest
    safe = np.where(has_direction, length, 1.0)
    along = np.einsum("a...,ab...,b...->...", u, jacobian, u)
    divergence = np.einsum("aa...->...", jacobian)
    return np.where(has_direction, -0.5 * (divergence / safe - along / safe**3), np.nan)


def plane(base_D: Tensor, pair: tuple[int, int], axis_n: Tensor) -> Tensor:
    """Return the points (n * n, D) of the plane of two latents through a base point, the first latent fastest."""
    second_N, first_N = (part.reshape(-1) for part in torch.meshgrid(axis_n, axis_n, indexing="ij"))
    z_ND = base_D.repeat(len(first_N), 1)
    z_ND[:, pair[0]], z_ND[:, pair[1]] = first_N.to(z_ND), second_N.to(z_ND)
    return z_ND


def plane_field(z_ND: Tensor, field: Sequence[Tensor], pair: tuple[int, int], spacing: float) -> dict[str, np.ndarray]:
    """Return `MAPS` by name over the points of `plane`, u (2, n, n) and the others (n, n), all in float64.

    field: h (N, D), and with exact derivatives the columns dh/dz (N, D, 2); else differences with this spacing.
    """
    h_ND = field[0]
    side = math.isqrt(len(h_ND))
    both = list(pair)
    u = (h_ND - z_ND)[:, both].T.reshape(2, side, side).numpy()
    smallest = ROUNDING * torch.finfo(torch.float32).eps * float(torch.maximum(h_ND.abs(), z_ND.abs()).max())
    maps = {
        "u": u,
        "magnitude": np.hypot(*u),
        "magnitude_full": torch.linalg.vector_norm(h_ND - z_ND, dim=1).reshape(side, side).numpy(),
    }
    if len(field) == 1:
        maps["divergence"], maps["divergence_error"] = grid_divergence(u, spacing)
        maps["curvature"], maps["curvature_error"] = grid_curvature(u, spacing, smallest=smallest)
    else:
        j_N22 = field[1][:, both] - torch.eye(2, dtype=torch.float64)
        jacobian = j_N22.permute(1, 2, 0).reshape(2, 2, side, side).numpy()
        maps["divergence"] = np.einsum("aa...->...", jacobian)
        maps["curvature"] = exact_curvature(u, jacobian, smallest=smallest)
    return maps


def _divergence(u: np.ndarray, spacing: float) -> np.ndarray:
    along_columns = np.gradient(u[0], spacing, axis=1, edge_order=2)
    along_rows = np.gradient(u[1], spacing, axis=0, edge_order=2)
    return np.asarray(along_columns + along_rows)

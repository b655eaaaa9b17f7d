from __future__ import annotations

import numpy as np
import pytest

from lrx.responses.vector_field import exact_curvature, grid_curvature, grid_divergence

A = np.array([[0.3, -1.2], [0.5, -0.9]])


def grid(side: int = 21, extent: float = 2.0) -> tuple[np.ndarray, float]:
    """Return points (2, n, n), the first along the columns, and their spacing."""
    axis = np.linspace(-extent, extent, side)
    return np.stack(np.meshgrid(axis, axis)), axis[1] - axis[0]


@pytest.mark.parametrize("side", [6, 7, 20])
@pytest.mark.parametrize("extent", [0.5, 3.0])
def test_divergence_of_linear_field_is_trace(side: int, extent: float) -> None:
    z, spacing = grid(side, extent)
    divergence, error = grid_divergence(np.einsum("ab,b...->a...", A, z) + 0.7, spacing)
    assert np.allclose(divergence, np.trace(A), rtol=0, atol=1e-12)
    assert error.max() < 1e-12


def test_components_and_axes() -> None:
    z, spacing = grid()
    assert np.allclose(grid_divergence(np.stack([z[0] ** 2, 0 * z[0]]), spacing)[0], 2 * z[0], atol=1e-12)
    assert np.allclose(grid_divergence(np.stack([z[1] ** 2, z[0]]), spacing)[0], 0, atol=1e-12)  # a shear


def test_curvature_of_basin() -> None:
    z, spacing = grid(401)
    c = np.array([0.313, -0.224])[:, None, None]
    radius = np.hypot(*(c - z))
    jacobian = np.broadcast_to(-np.eye(2)[:, :, None, None], (2, 2, *radius.shape))
    assert np.allclose(exact_curvature(c - z, jacobian, smallest=1e-9), 0.5 / radius, rtol=1e-12)
    curvature, error = grid_curvature(c - z, spacing, smallest=1e-9)
    far = radius > 0.3
    assert np.allclose(curvature[far], 0.5 / radius[far], rtol=2e-3)
    inside = far & (np.abs(z).max(0) < 1.9)
    truth = np.abs(curvature - 0.5 / radius)
    assert np.abs(error - truth)[inside].max() < 0.1 * truth[inside].max()


def test_curvature_of_parallel_lines_and_fixed_point() -> None:
    z, spacing = grid()
    along = np.stack([1 + z[1] ** 2, 0 * z[0]])  # faster further out, but straight
    assert np.allclose(grid_curvature(along, spacing, smallest=0)[0], 0, atol=1e-12)
    curvature, error = grid_curvature(-z, spacing, smallest=1e-12)
    assert np.argwhere(np.isnan(curvature)).tolist() == np.argwhere(np.isnan(error)).tolist() == [[10, 10]]
    exact = exact_curvature(-z, np.broadcast_to(-np.eye(2)[:, :, None, None], (2, 2, 21, 21)), smallest=1e-12)
    assert np.argwhere(np.isnan(exact)).tolist() == [[10, 10]]


def test_error_estimate_matches_differences() -> None:
    z, spacing = grid(41)
    divergence, error = grid_divergence(np.stack([np.sin(z[0]), np.cos(z[1])]), spacing)
    truth = np.cos(z[0]) - np.sin(z[1])
    inner = (slice(2, -2),) * 2
    assert np.allclose(error[inner], np.abs(divergence - truth)[inner], atol=0.02 * error[inner].max())
    assert np.abs(divergence - truth).max() < 3 * error.max()

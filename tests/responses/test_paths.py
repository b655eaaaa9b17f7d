from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lrx.responses.paths import (
    graph_paths,
    mean_along_path,
    path_cost,
    pull_inner_points,
    relax,
    resample_evenly,
    segment_lengths,
    straight_paths,
)
from tests.support.models_for_tests import one_thread as one_thread


def circle(z: Tensor) -> Tensor:
    """h of a manifold that is the unit circle: |u| is the distance from it."""
    return z / z.norm(dim=1, keepdim=True)


def distance_and_gradient(z: Tensor) -> tuple[Tensor, Tensor]:
    radius = z.norm(dim=1)
    return (radius - 1).abs(), (radius - 1).sign()[:, None] * z / radius[:, None]


def at(*degrees: float) -> Tensor:
    angle = torch.tensor(degrees, dtype=torch.float64) * math.pi / 180
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def size(path: Tensor) -> Tensor:
    return (path.norm(dim=-1) - 1).abs()


def test_straight_path_has_equal_pieces() -> None:
    a, b = at(0, 10), at(90, 200)
    path = straight_paths(a, b, num_points=7)
    assert torch.equal(path[:, 0], a)
    assert torch.equal(path[:, -1], b)
    assert torch.allclose(segment_lengths(path), (b - a).norm(dim=1)[:, None] / 6)


def test_pulled_points_lie_on_circle() -> None:
    path = straight_paths(at(0), 2 * at(100), num_points=9)
    on = pull_inner_points(path, circle, times=1)
    assert torch.allclose(on[:, 1:-1].norm(dim=-1), torch.ones(1, 7).double())
    assert torch.equal(on[:, [0, -1]], path[:, [0, -1]])
    assert torch.equal(pull_inner_points(path, lambda z: z, times=3), path)
    assert torch.equal(pull_inner_points(path, lambda z: z / 2, times=0), path)


def test_cost_of_chord_is_integral() -> None:
    path = straight_paths(at(0), at(90), num_points=2001)
    found = path_cost(path, size(path), weight=3.0)
    half = math.sqrt(0.5)  # the chord's distance from the centre, and half its length
    inside = half + half**2 * math.asinh(1)  # the integral of the radius along the chord
    assert float(found) == pytest.approx(2 * half + 3 * (2 * half - inside), rel=1e-6)
    assert float(mean_along_path(path, size(path))) == pytest.approx(1 - inside / (2 * half), rel=1e-6)
    point = path[:, :1].expand(-1, 5, -1)
    assert float(mean_along_path(point, torch.arange(5.0)[None].double())) == 2


def test_evenly_keeps_the_polygon_and_its_ends() -> None:
    corner = torch.tensor([[[0.0, 0.0], [3.0, 0.0], [3.0, 1.0]]]).double()
    found = resample_evenly(corner, num_points=5)
    assert found[0].tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [3, 1]]
    assert torch.equal(resample_evenly(corner[:, [0, 0, 0]], num_points=4), torch.zeros(1, 4, 2).double())
    assert torch.allclose(resample_evenly(corner[:, [0, 0, 1]], num_points=4)[0, :, 0], torch.arange(4.0).double())


def test_graph_path_avoids_costly_middle() -> None:
    nodes = torch.cat([at(*range(0, 360, 5)), at(*range(0, 360, 5)) * 0.1, at(*range(0, 360, 15)) * 0.55])
    a, b = at(0, 30), at(179, 100)
    dear = graph_paths(a, b, nodes, circle, neighbours=40, weight=20.0, num_points=41)
    assert size(dear).max() < 0.05
    assert torch.allclose(segment_lengths(dear).sum(1), torch.tensor([179.0, 70.0]).double() * math.pi / 180, rtol=0.01)
    assert torch.equal(dear[:, 0], a)
    assert torch.equal(dear[:, -1], b)
    free = graph_paths(a, b, nodes, lambda z: z, neighbours=40, weight=20.0, num_points=41)
    assert float(segment_lengths(free).sum(1)[0]) < 2.2


def test_graph_of_two_parts_and_equal_nodes() -> None:
    nodes = torch.cat([at(0).expand(9, -1), at(90).expand(9, -1)])
    path = graph_paths(at(0), at(90), nodes, circle, neighbours=2, weight=1.0, num_points=5)
    assert torch.allclose(path, straight_paths(at(0), at(90), num_points=5))
    one = graph_paths(at(0), at(0), at(0)[:0], circle, neighbours=2, weight=1.0, num_points=3)
    assert torch.equal(one, at(0).expand(1, 3, -1))


def test_relaxation_lowers_cost_to_circle() -> None:
    start = straight_paths(at(0, 0), at(90, 150), num_points=15)
    path, costs = relax(start, distance_and_gradient, steps=150, weight=20.0)
    assert (costs[1:] <= costs[:-1]).all()
    assert torch.allclose(costs[0], path_cost(start, size(start), weight=20.0))
    assert torch.allclose(costs[-1], path_cost(path, size(path), weight=20.0))
    arcs = torch.tensor([90.0, 150.0]).double() * math.pi / 180
    assert torch.allclose(costs[-1], arcs, rtol=0.06), costs[-1]
    assert torch.equal(path[:, [0, -1]], start[:, [0, -1]])


def test_relaxing_without_a_field_straightens() -> None:
    bent = pull_inner_points(straight_paths(at(0), at(120), num_points=9), circle, times=1)
    flat = lambda z: (torch.zeros(len(z)).double(), torch.zeros_like(z))  # noqa: E731
    _, costs = relax(bent, flat, steps=200, weight=1.0)
    assert float(costs[-1]) == pytest.approx(math.sqrt(3), rel=1e-3)
    same, costs = relax(straight_paths(at(0), at(120), num_points=9), flat, steps=3, weight=1.0)
    assert torch.allclose(same, straight_paths(at(0), at(120), num_points=9), atol=1e-9)
    assert torch.allclose(costs, costs[0].expand_as(costs))

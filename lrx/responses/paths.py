"""Paths between two codes: straight, pulled onto the manifold, through a graph of responses, or relaxed.

The cost of a path is the integral of 1 + w |u| along it, its length and w times the integral of |u|, u(z) = h(z) - z;
on the manifold |u| is small. `graph` looks for the cheapest way over edges between responses (Dijkstra 1959);
`relaxed` goes down the gradient of the cost and spaces its points evenly after every step (a string: E, Ren and
Vanden-Eijnden 2002). P paths of T points, N nodes, D latents. The maths knows h as a function only.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra, minimum_spanning_tree
from torch import Tensor

Response = Callable[[Tensor], Tensor]
"""h: latents (N, D) to their responses (N, D)."""
Slope = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Latents (N, D) to |u| (N,) and its gradient (N, D)."""

FIRST_STEP = 0.5  # of relaxing, in units of the mean distance of neighbouring points
SHORTEST = 1e-12  # edges of length 0, between equal nodes, still count as edges


def straight(a_PD: Tensor, b_PD: Tensor, *, num_points: int) -> Tensor:
    """Evenly spaced points on the lines from a (P, D) to b (P, D): (P, T, D), both ends included."""
    share_T1 = torch.linspace(0, 1, num_points, dtype=a_PD.dtype, device=a_PD.device)[:, None]
    return a_PD[:, None] * (1 - share_T1) + b_PD[:, None] * share_T1


def pulled(path_PTD: Tensor, h: Response, *, times: int) -> Tensor:
    """Paths (P, T, D) whose inner points have h applied so often; the ends stay."""
    inner_PTD = path_PTD[:, 1:-1]
    for _ in range(times):
        inner_PTD = h(inner_PTD.flatten(0, 1)).view(inner_PTD.shape)
    return torch.cat([path_PTD[:, :1], inner_PTD, path_PTD[:, -1:]], dim=1)


def lengths(path_PTD: Tensor) -> Tensor:
    """The lengths of the pieces between neighbouring points: (P, T - 1)."""
    pieces_PT: Tensor = torch.linalg.vector_norm(path_PTD[:, 1:] - path_PTD[:, :-1], dim=-1)
    return pieces_PT


def cost(path_PTD: Tensor, u_PT: Tensor, *, weight: float) -> Tensor:
    """The integral of 1 + w |u| along paths, by the trapezoidal rule over |u| at their points: (P,)."""
    return (lengths(path_PTD) * (1 + weight * (u_PT[:, 1:] + u_PT[:, :-1]) / 2)).sum(1)


def mean_along(path_PTD: Tensor, u_PT: Tensor) -> Tensor:
    """The mean of |u| along paths, by length: (P,); of a path without length, the mean over its points."""
    total_P = lengths(path_PTD).sum(1)
    integral_P = cost(path_PTD, u_PT, weight=1.0) - total_P
    return torch.where(total_P > 0, integral_P / total_P, u_PT.mean(1))


def evenly(path_PTD: Tensor, *, num_points: int) -> Tensor:
    """The same polygons with points at equal distances along them: (P, num_points, D), both ends included."""
    along_PT = torch.cat([torch.zeros_like(path_PTD[:, :1, 0]), lengths(path_PTD).cumsum(1)], dim=1)
    share_T = torch.linspace(0, 1, num_points, dtype=path_PTD.dtype, device=path_PTD.device)
    wanted_PT = (along_PT[:, -1:] * share_T).contiguous()
    piece_PT = torch.searchsorted(along_PT, wanted_PT, right=True).clamp(1, path_PTD.shape[1] - 1) - 1
    begin_PT, end_PT = along_PT.gather(1, piece_PT), along_PT.gather(1, piece_PT + 1)
    part_PT1 = ((wanted_PT - begin_PT) / (end_PT - begin_PT).clamp(min=SHORTEST)).clamp(0, 1)[..., None]
    wide_PTD = piece_PT[..., None].expand(-1, -1, path_PTD.shape[2])
    points_PTD = path_PTD.gather(1, wide_PTD) * (1 - part_PT1) + path_PTD.gather(1, wide_PTD + 1) * part_PT1
    return torch.cat([path_PTD[:, :1], points_PTD[:, 1:-1], path_PTD[:, -1:]], dim=1)


def through_graph(
    a_PD: Tensor, b_PD: Tensor, nodes_ND: Tensor, h: Response, *, neighbours: int, weight: float, num_points: int
) -> Tensor:
    """The cheapest paths from a (P, D) to b (P, D) over nodes (N, D) and the ends: (P, T, D), evenly spaced.

    Edges join each node to its nearest `neighbours`, and the edges of a shortest spanning tree hold all together. An
    edge costs its length times 1 + w |u|, |u| integrated by Simpson's rule over its ends and its middle.
    """
    every_ND = torch.cat([a_PD, b_PD, nodes_ND])
    edges = _edges(every_ND.detach().cpu().double().numpy(), neighbours)
    start, end = every_ND[edges[0]], every_ND[edges[1]]
    middle = (start + end) / 2
    u_N = (h(every_ND) - every_ND).norm(dim=1)
    u_middle = (h(middle) - middle).norm(dim=1)
    u_edge = (u_N[edges[0]] + 4 * u_middle + u_N[edges[1]]) / 6
    costs = ((end - start).norm(dim=1) * (1 + weight * u_edge)).double().clamp(min=SHORTEST).cpu().numpy()
    count, paths = len(every_ND), len(a_PD)
    graph = csr_array((costs, (edges[0].numpy(), edges[1].numpy())), shape=(count, count))
    _, before = dijkstra(graph, directed=False, indices=np.arange(paths), return_predecessors=True)
    found = []
    for path in range(paths):
        walk = [paths + path]
        while walk[-1] != path:
            walk.append(int(before[path, walk[-1]]))
        found.append(evenly(every_ND[walk[::-1]][None], num_points=num_points))
    return torch.cat(found)


def _edges(nodes_ND: np.ndarray, neighbours: int) -> Tensor:
    """Each pair of neighbours once: int64 (2, edges), the smaller index first."""
    count = len(nodes_ND)
    points = torch.from_numpy(nodes_ND)
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    tree = minimum_spanning_tree((distances.clamp(min=SHORTEST)).numpy()).tocoo()
    distances.fill_diagonal_(torch.inf)
    nearest = distances.topk(min(neighbours, count - 1), dim=1, largest=False).indices
    pairs = torch.stack([torch.arange(count).repeat_interleave(nearest.shape[1]), nearest.flatten()])
    joined = torch.cat([pairs, torch.from_numpy(np.stack([tree.row, tree.col]).astype(np.int64))], dim=1)
    once: Tensor = torch.unique(joined.sort(dim=0).values, dim=1)
    return once


def relaxed(
    path_PTD: Tensor, slope: Slope, *, steps: int, weight: float, progress: Callable[[int], None] = lambda steps: None
) -> tuple[Tensor, Tensor]:
    """Paths (P, T, D) after at most so many steps down the gradient of their cost, and the costs (1 + steps, P).

    A step that does not lower a path's cost is taken back and halved, so that no path ends above where it began; after
    one that does, the next is half as long again. Points are spaced evenly after each step, and the ends stay.
    """
    best_PTD = evenly(path_PTD, num_points=path_PTD.shape[1])
    best_P, gradient_PTD = _cost_and_gradient(best_PTD, slope, weight)
    step_P = FIRST_STEP * lengths(best_PTD).mean(1)
    costs = [best_P]
    for done in range(steps):
        size_P11 = gradient_PTD.flatten(1).norm(dim=1).clamp(min=SHORTEST)[:, None, None]
        inner = (path_PTD.shape[1] - 2) ** 0.5  # step_P is the root mean square move of the inner points
        tried_PTD = best_PTD - (step_P * inner)[:, None, None] * gradient_PTD / size_P11
        tried_PTD = evenly(tried_PTD, num_points=path_PTD.shape[1])
        tried_P, tried_gradient_PTD = _cost_and_gradient(tried_PTD, slope, weight)
        lower_P = tried_P < best_P
        best_PTD = torch.where(lower_P[:, None, None], tried_PTD, best_PTD)
        gradient_PTD = torch.where(lower_P[:, None, None], tried_gradient_PTD, gradient_PTD)
        best_P = torch.where(lower_P, tried_P, best_P)
        step_P = torch.where(lower_P, step_P * 1.5, step_P * 0.5)
        costs.append(best_P)
        progress(done + 1)
    return best_PTD, torch.stack(costs)


def size_and_slope(h: Response, z_ND: Tensor, *, batch_size: int) -> tuple[Tensor, Tensor]:
    """|u| (N,) at latents z (N, D) and its gradient (N, D), by reverse mode through h; 0 where u is 0.

    ValueError when encode and decode cut the gradient off, or it is not finite.
    """
    sizes, slopes = [], []
    step = max(1, batch_size // 2)  # the graph of the backward pass fills the rest
    with torch.inference_mode(False), torch.enable_grad():
        for part_BD in torch.split(z_ND, step):
            z_BD = part_BD.clone().requires_grad_()
            h_BD = h(z_BD)
            if not h_BD.requires_grad:
                raise ValueError("the model's encode and decode pass no gradients on, which relaxed paths need")
            size_B = (h_BD - z_BD).norm(dim=1)
            slopes.append(torch.autograd.grad(size_B.sum(), z_BD)[0])
            sizes.append(size_B.detach())
    if not torch.isfinite(torch.cat(slopes)).all():
        raise ValueError("the gradients of the responses are not finite: the model's weights hold NaN, or overflow")
    return torch.cat(sizes), torch.cat(slopes)


def _cost_and_gradient(path_PTD: Tensor, slope: Slope, weight: float) -> tuple[Tensor, Tensor]:
    """Costs (P,) and their gradients (P, T, D), 0 at the ends."""
    u_N, slope_ND = slope(path_PTD.flatten(0, 1))
    with torch.inference_mode(False), torch.enable_grad():
        z_PTD = path_PTD.clone().requires_grad_()
        u_PT = u_N.view(path_PTD.shape[:2]).clone().requires_grad_()
        cost_P = cost(z_PTD, u_PT, weight=weight)
        by_z_PTD, by_u_PT = torch.autograd.grad(cost_P.sum(), (z_PTD, u_PT))
    gradient_PTD = by_z_PTD + by_u_PT[..., None] * slope_ND.view(path_PTD.shape)
    gradient_PTD[:, [0, -1]] = 0
    return cost_P.detach(), gradient_PTD

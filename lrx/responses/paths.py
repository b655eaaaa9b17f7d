"""Paths between two codes: straight, pulled onto the manifold, through a graph of responses, or relaxed by descent.

The cost of a path is the integral of 1 + w |u| along it, with u(z) = h(z) - z: its length plus w times the integral of
|u|, which is small on the manifold. `graph_paths` finds the cheapest path over edges between responses (Dijkstra 1959);
`relax` descends the gradient of the cost and spaces the points evenly after every step (string method: E, Ren and
Vanden-Eijnden 2002). h is any function of latents. P paths of T points, N nodes, D latents.
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
MagnitudeAndGradient = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Latents (N, D) to |u| (N,) and its gradient (N, D)."""

FIRST_STEP = 0.5  # of relaxing, in units of the mean distance of neighbouring points
SHORTEST = 1e-12  # edges of length 0, between equal nodes, still count as edges


def straight_paths(a_PD: Tensor, b_PD: Tensor, *, num_points: int) -> Tensor:
    """Return evenly spaced points on the lines from a (P, D) to b (P, D): (P, T, D), both ends included."""
    share_T1 = torch.linspace(0, 1, num_points, dtype=a_PD.dtype, device=a_PD.device)[:, None]
    return a_PD[:, None] * (1 - share_T1) + b_PD[:, None] * share_T1


def pull_inner_points(path_PTD: Tensor, h: Response, *, times: int) -> Tensor:
    """Apply h `times` times to the inner points of paths (P, T, D); the ends stay."""
    inner_PTD = path_PTD[:, 1:-1]
    for _ in range(times):
        inner_PTD = h(inner_PTD.flatten(0, 1)).view(inner_PTD.shape)
    return torch.cat([path_PTD[:, :1], inner_PTD, path_PTD[:, -1:]], dim=1)


def segment_lengths(path_PTD: Tensor) -> Tensor:
    """Return the lengths of the segments between neighbouring points: (P, T - 1)."""
    lengths_PT: Tensor = torch.linalg.vector_norm(path_PTD[:, 1:] - path_PTD[:, :-1], dim=-1)
    return lengths_PT


def path_cost(path_PTD: Tensor, u_PT: Tensor, *, weight: float) -> Tensor:
    """Return the integral of 1 + w |u| along paths, by the trapezoidal rule over |u| at their points: (P,)."""
    return (segment_lengths(path_PTD) * (1 + weight * (u_PT[:, 1:] + u_PT[:, :-1]) / 2)).sum(1)


def mean_along_path(path_PTD: Tensor, u_PT: Tensor) -> Tensor:
    """Return the mean of |u| over the length of paths (P,); of a path of length 0, the mean over its points."""
    total_P = segment_lengths(path_PTD).sum(1)
    integral_P = path_cost(path_PTD, u_PT, weight=1.0) - total_P
    return torch.where(total_P > 0, integral_P / total_P, u_PT.mean(1))


def resample_evenly(path_PTD: Tensor, *, num_points: int) -> Tensor:
    """Return the same polygons with points at equal distances along them: (P, num_points, D), both ends included."""
    along_PT = torch.cat([torch.zeros_like(path_PTD[:, :1, 0]), segment_lengths(path_PTD).cumsum(1)], dim=1)
    share_T = torch.linspace(0, 1, num_points, dtype=path_PTD.dtype, device=path_PTD.device)
    target_PT = (along_PT[:, -1:] * share_T).contiguous()
    segment_PT = torch.searchsorted(along_PT, target_PT, right=True).clamp(1, path_PTD.shape[1] - 1) - 1
    begin_PT, end_PT = along_PT.gather(1, segment_PT), along_PT.gather(1, segment_PT + 1)
    weight_PT1 = ((target_PT - begin_PT) / (end_PT - begin_PT).clamp(min=SHORTEST)).clamp(0, 1)[..., None]
    index_PTD = segment_PT[..., None].expand(-1, -1, path_PTD.shape[2])
    points_PTD = path_PTD.gather(1, index_PTD) * (1 - weight_PT1) + path_PTD.gather(1, index_PTD + 1) * weight_PT1
    return torch.cat([path_PTD[:, :1], points_PTD[:, 1:-1], path_PTD[:, -1:]], dim=1)


def graph_paths(
    a_PD: Tensor, b_PD: Tensor, nodes_ND: Tensor, h: Response, *, neighbours: int, weight: float, num_points: int
) -> Tensor:
    """Return the cheapest paths from a (P, D) to b (P, D) over nodes (N, D) and the ends: (P, T, D), evenly spaced.

    Edges join each node to its nearest `neighbours`; those of a minimum spanning tree make the graph connected. An edge
    costs its length times 1 + w |u|, |u| integrated by Simpson's rule over its ends and its middle.
    """
    all_ND = torch.cat([a_PD, b_PD, nodes_ND])
    edges = _edges(all_ND.detach().cpu().double().numpy(), neighbours)
    start, end = all_ND[edges[0]], all_ND[edges[1]]
    middle = (start + end) / 2
    u_N = (h(all_ND) - all_ND).norm(dim=1)
    u_middle = (h(middle) - middle).norm(dim=1)
    u_edge = (u_N[edges[0]] + 4 * u_middle + u_N[edges[1]]) / 6
    costs = ((end - start).norm(dim=1) * (1 + weight * u_edge)).double().clamp(min=SHORTEST).cpu().numpy()
    count, paths = len(all_ND), len(a_PD)
    graph = csr_array((costs, (edges[0].numpy(), edges[1].numpy())), shape=(count, count))
    _, predecessors = dijkstra(graph, directed=False, indices=np.arange(paths), return_predecessors=True)
    polygons = []
    for path in range(paths):
        walk = [paths + path]
        while walk[-1] != path:
            walk.append(int(predecessors[path, walk[-1]]))
        polygons.append(resample_evenly(all_ND[walk[::-1]][None], num_points=num_points))
    return torch.cat(polygons)


def _edges(nodes_ND: np.ndarray, neighbours: int) -> Tensor:
    """Return each pair of neighbours once: int64 (2, edges), the smaller index first."""
    count = len(nodes_ND)
    points = torch.from_numpy(nodes_ND)
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    tree = minimum_spanning_tree((distances.clamp(min=SHORTEST)).numpy()).tocoo()
    distances.fill_diagonal_(torch.inf)
    nearest = distances.topk(min(neighbours, count - 1), dim=1, largest=False).indices
    pairs = torch.stack([torch.arange(count).repeat_interleave(nearest.shape[1]), nearest.flatten()])
    edges = torch.cat([pairs, torch.from_numpy(np.stack([tree.row, tree.col]).astype(np.int64))], dim=1)
    unique: Tensor = torch.unique(edges.sort(dim=0).values, dim=1)
    return unique


def relax(path_PTD: Tensor, field: MagnitudeAndGradient, *, steps: int, weight: float) -> tuple[Tensor, Tensor]:
    """Descend the gradient of the cost of paths (P, T, D); return the paths, and the costs (1 + steps, P).

    A step that does not lower a path's cost is rejected and the step size halved, so that no cost ever increases; after
    an accepted step it is multiplied by 1.5. Points are spaced evenly after each step, and the ends stay.
    """
    best_PTD = resample_evenly(path_PTD, num_points=path_PTD.shape[1])
    best_P, gradient_PTD = _cost_and_gradient(best_PTD, field, weight)
    step_P = FIRST_STEP * segment_lengths(best_PTD).mean(1)
    costs = [best_P]
    for _ in range(steps):
        size_P11 = gradient_PTD.flatten(1).norm(dim=1).clamp(min=SHORTEST)[:, None, None]
        inner = (path_PTD.shape[1] - 2) ** 0.5  # step_P is the root mean square displacement of the inner points
        trial_PTD = best_PTD - (step_P * inner)[:, None, None] * gradient_PTD / size_P11
        trial_PTD = resample_evenly(trial_PTD, num_points=path_PTD.shape[1])
        trial_P, trial_gradient_PTD = _cost_and_gradient(trial_PTD, field, weight)
        lower_P = trial_P < best_P
        best_PTD = torch.where(lower_P[:, None, None], trial_PTD, best_PTD)
        gradient_PTD = torch.where(lower_P[:, None, None], trial_gradient_PTD, gradient_PTD)
        best_P = torch.where(lower_P, trial_P, best_P)
        step_P = torch.where(lower_P, step_P * 1.5, step_P * 0.5)
        costs.append(best_P)
    return best_PTD, torch.stack(costs)


def magnitude_and_gradient(h: Response, z_ND: Tensor, *, batch_size: int) -> tuple[Tensor, Tensor]:
    """Return |u| (N,) at latents z (N, D) and its gradient (N, D), by reverse mode through h; 0 where u is 0.

    ValueError when encode or decode blocks the gradient, or it is not finite.
    """
    magnitudes, gradients = [], []
    step = max(1, batch_size // 2)  # the graph of the backward pass takes the rest of the memory
    with torch.inference_mode(False), torch.enable_grad():
        for part_BD in torch.split(z_ND, step):
            z_BD = part_BD.clone().requires_grad_()
            h_BD = h(z_BD)
            if not h_BD.requires_grad:
                raise ValueError("the model's encode and decode pass no gradients on, which relaxed paths need")
            u_B = (h_BD - z_BD).norm(dim=1)
            gradients.append(torch.autograd.grad(u_B.sum(), z_BD)[0])
            magnitudes.append(u_B.detach())
    if not torch.isfinite(torch.cat(gradients)).all():
        raise ValueError("the gradients of the responses are not finite: the model's weights hold NaN, or overflow")
    return torch.cat(magnitudes), torch.cat(gradients)


def _cost_and_gradient(path_PTD: Tensor, field: MagnitudeAndGradient, weight: float) -> tuple[Tensor, Tensor]:
    """Return costs (P,) and their gradients (P, T, D), which are 0 at the ends."""
    u_N, gradient_ND = field(path_PTD.flatten(0, 1))
    with torch.inference_mode(False), torch.enable_grad():
        z_PTD = path_PTD.clone().requires_grad_()
        u_PT = u_N.view(path_PTD.shape[:2]).clone().requires_grad_()
        cost_P = path_cost(z_PTD, u_PT, weight=weight)
        by_z_PTD, by_u_PT = torch.autograd.grad(cost_P.sum(), (z_PTD, u_PT))
    gradient_PTD = by_z_PTD + by_u_PT[..., None] * gradient_ND.view(path_PTD.shape)
    gradient_PTD[:, 0] = gradient_PTD[:, -1] = 0  # a list of places would be copied to a GPU at each step
    return cost_P.detach(), gradient_PTD

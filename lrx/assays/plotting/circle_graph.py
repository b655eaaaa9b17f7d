"""Graph with its nodes on a circle: bowed arrows, as wide as their weights, with the weights written on them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch

from lrx.assays.plotting import style

REACH = 1.15  # half the side of the axes, where the nodes stand on a circle of radius 1
NODE = 0.11  # radius of a node, at most
CROWD = 24  # nodes from which arrows bow inwards in full
WIDEST = 3.5  # points of a line, at a weight of 1 or more
PLACES = (0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73, 0.2, 0.8)  # of a weight along its arrow, the first that is free

Point = tuple[float, float]
Edge = tuple[int, int]


def draw_graph(
    axes: Axes,
    labels: Mapping[int, str],
    weights: Mapping[Edge, float],
    colours: Mapping[Edge, str],
    *,
    side: float,
    identity: float,
) -> None:
    """Draw nodes by their labels clockwise from the top, and an arrow for each weight, the strongest on top.

    side: of the axes in inches. identity: the weight that has the widest line.
    """
    axes.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal")
    axes.axis("off")
    angles = math.pi / 2 - 2 * math.pi * np.arange(len(labels)) / max(1, len(labels))
    place = {node: (math.cos(angle), math.sin(angle)) for node, angle in zip(labels, angles, strict=True)}
    if len(labels) == 1:
        place = dict.fromkeys(labels, (0.0, 0.0))
    radius = min(NODE, 0.6 * math.pi / max(1, len(labels)))
    scale = 72 * side / (2 * REACH)  # points of a unit
    rising = sorted(weights, key=lambda edge: weights[edge])
    curves = {}
    for edge in rising:
        start, end = place[edge[0]], place[edge[1]]
        bow = _bow(start, end, len(place))
        curves[edge] = _curve(start, end, bow)
        width = max(0.6, WIDEST * min(1.0, weights[edge] / identity))
        arrow = FancyArrowPatch(
            start,
            end,
            connectionstyle=f"arc3,rad={bow:.4f}",
            arrowstyle=f"-|>,head_width={1.4 + 0.7 * width:.3f},head_length={3 + 1.2 * width:.3f}",
            mutation_scale=1,
            shrinkA=radius * scale + 1.5,
            shrinkB=radius * scale + 1.5,
            linewidth=width,
            color=colours[edge],
            joinstyle="miter",
        )
        axes.add_patch(arrow)
    for node, (x, y) in place.items():
        axes.add_patch(Circle((x, y), radius, facecolor="white", edgecolor=style.QUIET, linewidth=1.0, zorder=3))
        size = max(6.0, min(style.TEXT, 1.1 * radius * scale))
        axes.text(x, y, labels[node], ha="center", va="center", fontsize=size, zorder=4)
    box = np.array([15.0, 8.0]) / scale  # of a weight
    for edge, (x, y) in _free_places(curves, list(place.values()), box, radius).items():
        axes.text(
            x,
            y,
            f"{weights[edge]:.2f}",
            ha="center",
            va="center",
            fontsize=style.SMALL,
            color=colours[edge],
            zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )


def _bow(start: Point, end: Point, nodes: int) -> float:
    """Return the curvature `rad` of an arrow between two of `nodes` places on the circle: its bow to the right, as a
    share of their distance.

    It bows a little, to lie apart from the arrow of the other direction; and where nodes that are close together lie
    between, inwards to pass them.
    """
    along = (end[0] - start[0], end[1] - start[1])
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    distance = math.hypot(*along)
    centre = (middle[1] * along[0] - middle[0] * along[1]) / distance  # from the middle, to the right
    neighbours = distance < 3 * math.sin(math.pi / nodes)
    inwards = 0.0 if neighbours else 0.45 * min(1.0, nodes / CROWD) * centre
    return (inwards + 0.08 + 0.06 * distance) / distance


def _curve(start: Point, end: Point, bow: float) -> np.ndarray:
    """Return points (101, 2) of an arrow, evenly in the parameter: the quadratic curve of matplotlib's `arc3`."""
    first, last = np.array(start), np.array(end)
    along = last - first
    control = (first + last) / 2 + bow * np.array([along[1], -along[0]])
    t = np.linspace(0, 1, 101)[:, None]
    return np.asarray((1 - t) ** 2 * first + 2 * t * (1 - t) * control + t**2 * last)


def _free_places(
    curves: Mapping[Edge, np.ndarray], nodes: list[Point], box: np.ndarray, radius: float
) -> dict[Edge, Point]:
    """Return a place on each curve for its weight, the strongest first: where it covers least of what else is drawn."""
    places: dict[Edge, Point] = {}

    def cost(edge: Edge, where: np.ndarray) -> float:
        texts = sum(bool((np.abs(where - other) < box).all()) for other in places.values())
        circles = sum(bool((np.abs(where - np.array(node)) < box / 2 + radius).all()) for node in nodes)
        lines = sum(
            bool((np.abs(curves[other] - where) < box / 2).all(axis=1).any()) for other in curves if other != edge
        )
        return 100.0 * (texts + circles) + lines

    for edge in reversed(list(curves)):
        spots = [curves[edge][round(100 * share)] for share in PLACES]
        best = min(spots, key=lambda where: cost(edge, where))
        places[edge] = (float(best[0]), float(best[1]))
    return places

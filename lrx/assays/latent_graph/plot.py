"""Latent causal graph as a picture and as GraphML, from a results file alone."""

from __future__ import annotations

import io
import math
import textwrap

import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch

from lrx.assays.plotting import style
from lrx.assays.plotting.figure_caption import figure_caption, informative
from lrx.assays.plotting.response_scale import identity_response, scale_of
from lrx.core.types import AssayResult
from lrx.storage import results

NAME = "latent_graph"
KINDS = {1: "unidirectional", 2: "bidirectional"}  # as in the array `edge`
COLOURS = {"unidirectional": "black", "bidirectional": style.ACCENT}
SIDE = 5.0  # inches, for the circle and a margin
EMPTY = 1.0  # inches in height of a graph without nodes
REACH = 1.15  # half the side, where the latents stand on a circle of radius 1
NODE = 0.09  # radius of a node, at most
CROWD = 24  # nodes from which arrows bow inwards in full
WIDEST = 4.0  # points of a line, at the response of an identity or more
DRAWN = 40  # arrows, the strongest; more are a tangle
LISTED = 60  # latents that are not informative, by number


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the informative latents on a circle in their order, clockwise from the top, and the 40 strongest edges.

    The wider and darker an edge, the stronger the response.
    """
    figure = style.figure(SIDE, SIDE if result.arrays["informative"].values.any() else EMPTY)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH))
    axes.axis("off")
    _graph(axes, result)
    _legend(axes, result)
    style.title(axes, "Latent causal graph", _caption(result, provenance), characters=88)
    return {NAME: figure}


def exports(result: AssayResult, provenance: results.Provenance) -> dict[str, bytes]:
    """Return `latent_graph.graphml`: informative latents as nodes, and all edges between them.

    A bidirectional pair is two edges. The attribute `normalization` of the graph names the scale of the responses.
    """
    graph = nx.DiGraph(id=NAME, normalization=scale_of(result.arrays["matrix"]))
    labels = [f"z{label}" for label in result.coordinates["responding"]]
    for node in np.flatnonzero(result.arrays["informative"].values).tolist():
        graph.add_node(labels[node], label=labels[node], **_numbers(result, node, node))
    for (source, target), kind in edges_of(result).items():
        graph.add_edge(labels[source], labels[target], kind=kind, **_numbers(result, source, target))
    content = io.BytesIO()
    nx.write_graphml_xml(graph, content)  # the writer of the standard library, so that the bytes are the same with lxml
    return {f"{NAME}.graphml": content.getvalue()}


def _numbers(result: AssayResult, source: int, target: int) -> dict[str, float]:
    arrays = {"response": "matrix", "response_se": "matrix_se", "stability": "stability"}
    return {name: float(result.arrays[array].values[source, target]) for name, array in arrays.items()}


def edges_of(result: AssayResult) -> dict[tuple[int, int], str]:
    """Return the kind of each directed edge (j, k); a bidirectional pair is there as (j, k) and as (k, j)."""
    edge = result.arrays["edge"].values
    return {(int(j), int(k)): KINDS[int(edge[j, k])] for j, k in np.argwhere(edge)}


def _strongest_edges(result: AssayResult) -> list[tuple[int, int]]:
    """Return the strongest edges, in rising order of their response, so that the strong lie on top."""
    matrix = result.arrays["matrix"].values
    return sorted(edges_of(result), key=lambda edge: float(matrix[edge]))[-DRAWN:]


def _graph(axes: Axes, result: AssayResult) -> None:
    """Draw nodes, and a bowed arrow for each direction, the two of a pair side by side, as wide as its response."""
    nodes = np.flatnonzero(result.arrays["informative"].values)
    angles = math.pi / 2 - 2 * math.pi * np.arange(len(nodes)) / max(1, len(nodes))
    place = {int(node): (math.cos(angle), math.sin(angle)) for node, angle in zip(nodes, angles, strict=True)}
    if len(nodes) == 1:
        place = {int(nodes[0]): (0.0, 0.0)}
    radius = min(NODE, 0.6 * math.pi / max(1, len(nodes)))
    gap = radius * 72 * SIDE / (2 * REACH) + 1.5  # in points
    matrix, edges = result.arrays["matrix"].values, edges_of(result)
    identity = identity_response(scale_of(result.arrays["matrix"]))
    for j, k in _strongest_edges(result):
        kind = edges[j, k]
        strength = min(1.0, float(matrix[j, k]) / identity)
        width = max(0.6, WIDEST * strength)
        arrow = FancyArrowPatch(
            place[j],
            place[k],
            connectionstyle=f"arc3,rad={_bow(place[j], place[k], len(place)):.4f}",
            arrowstyle=f"-|>,head_width={1.4 + 0.7 * width:.3f},head_length={3 + 1.2 * width:.3f}",
            mutation_scale=1,
            shrinkA=gap,
            shrinkB=gap,
            linewidth=width,
            color=COLOURS[kind],
            alpha=0.3 + 0.7 * strength,
            joinstyle="miter",
        )
        axes.add_patch(arrow)
    for node, (x, y) in place.items():
        axes.add_patch(Circle((x, y), radius, facecolor="white", edgecolor=style.QUIET, linewidth=1.0, zorder=3))
        # the mark of an informative latent, as above the columns of a response matrix
        axes.plot(x, y + 0.68 * radius, "v", color=style.ACCENT, markersize=44 * radius, markeredgewidth=0, zorder=4)
        label = str(result.coordinates["responding"][node])
        axes.text(x, y, label, ha="center", va="center", fontsize=min(10.0, 120 * radius), zorder=4)
    if not edges:
        text = "no edge" if place else "no latent is informative"
        axes.text(0, 0.25 if len(place) == 1 else 0, text, ha="center", va="center", color=style.QUIET)


def _bow(start: tuple[float, float], end: tuple[float, float], nodes: int) -> float:
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


def _legend(axes: Axes, result: AssayResult) -> None:
    """Write the legend of the colours, and the latents that are not in the picture."""
    settings, present = result.settings, {edges_of(result)[edge] for edge in _strongest_edges(result)}
    meaning = {
        "unidirectional": f"one way: only this response > {settings['unidirectional']}",
        "bidirectional": f"both ways: both responses > {settings['bidirectional']}",
    }
    handles = [Line2D([], [], color=COLOURS[kind], linewidth=2.0) for kind in meaning if kind in present]
    if handles:
        labels = [text for kind, text in meaning.items() if kind in present]
        axes.legend(
            handles, labels, loc="upper left", bbox_to_anchor=(0, 0), ncols=2, frameon=False, fontsize=8, borderpad=0
        )
    others = [
        str(result.coordinates["responding"][j]) for j in np.flatnonzero(result.arrays["informative"].values == 0)
    ]
    if others:
        more = f" and {len(others) - LISTED} more" if len(others) > LISTED else ""
        text = textwrap.fill(f"not informative: {', '.join(others[:LISTED])}{more}", 88)
        axes.annotate(
            text,
            (0, 0),
            xytext=(0, -24 if handles else -6),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=7,
            color=style.QUIET,
            va="top",
        )


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    scores, settings = result.scores, result.settings
    counts = {
        key: f"{scores[f'num_{key}']:.0f} ± {scores[f'num_{key}_se']:.2g}" for key in ("informative", *KINDS.values())
    }
    stability, left_out = scores["mean_stability"], len(edges_of(result)) - len(_strongest_edges(result))
    return figure_caption(
        result,
        provenance,
        f"base {settings['base']}",
        f"{settings['num_samples']:,} draws",
        f"normalization {scale_of(result.arrays['matrix'])}, thresholds on none",
        informative(result, counts["informative"]),
        f"edges: {counts['unidirectional']} one way, {counts['bidirectional']} both ways",
        "" if math.isnan(stability) else f"mean stability {stability:.2f}",
        "wider and darker: stronger response" if edges_of(result) else "",
        f"the {DRAWN} strongest arrows are drawn, {left_out:,} are left out" if left_out else "",
    )

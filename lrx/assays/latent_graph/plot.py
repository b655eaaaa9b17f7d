"""Latent causal graph as a picture, and as GraphML, from a results file alone."""

from __future__ import annotations

import io
import math

import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from lrx.assays.plotting import style
from lrx.assays.plotting.annotations import annotate
from lrx.assays.plotting.circle_graph import Edge, draw_graph
from lrx.assays.plotting.figure_caption import figure_caption, informative
from lrx.assays.plotting.heading import heading
from lrx.assays.plotting.response_scale import NONE, identity_response, scale_of
from lrx.core.text import join_names
from lrx.core.types import AssayResult
from lrx.storage import results

NAME = "latent_graph"
KINDS = {1: "unidirectional", 2: "bidirectional"}  # as in the array `edge`
COLOURS = {"unidirectional": "black", "bidirectional": style.ACCENT}
EMPTY = 1.0  # inches in height of a graph without nodes
LEFT, GAP, FOOT = 0.45, 0.15, 0.45  # inches beside, between and below the panels
DRAWN = 12  # arrows, the strongest; more are a tangle
WIDE = 5.0  # inches from which matrix and graph lie side by side
LISTED = 60  # latents that are not informative, by number
NUMBERS = 16  # nodes, at most, whose responses are written in the matrix


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """Draw the responses of informative latents to one another, and beside them the graph of the 12 strongest edges.

    A frame marks the responses that are drawn as arrows; the wider an arrow, the stronger the response. In one column
    the graph is below the matrix.
    """
    wide = style.width(style.DOUBLE)
    nodes = np.flatnonzero(result.arrays["informative"].values)
    beside = wide >= WIDE
    side = (wide - LEFT - GAP) / 2 if beside else wide - LEFT
    high = (side if beside else 2 * side + FOOT) + FOOT if len(nodes) else EMPTY
    figure = style.figure(wide, high)
    box = (LEFT + side + GAP if beside else LEFT) / wide, FOOT / high, side / wide, side / high
    graph = figure.add_axes(box if len(nodes) else (0, 0, 1, 1))
    drawn = _strongest_edges(result)
    weights = {edge: float(result.arrays["matrix"].values[edge]) for edge in drawn}
    kinds = edges_of(result)
    labels = {int(node): str(result.coordinates["responding"][node]) for node in nodes}
    colours = {edge: COLOURS[kinds[edge]] for edge in drawn}
    scale = scale_of(result.arrays["matrix"])
    draw_graph(graph, labels, weights, colours, side=side, identity=identity_response(scale))
    top = graph
    if len(nodes):
        top = figure.add_axes((LEFT / wide, (high - side) / high, side / wide, side / high))
        _matrix(figure, top, result, nodes, side)
    else:
        graph.set_aspect("auto")
    if not drawn:
        text = "no edge" if len(nodes) else "no latent is informative"
        graph.text(0, 0.25 if len(nodes) == 1 else 0, text, ha="center", va="center", color=style.QUIET)
    _legend(graph, result)
    key = f"□\N{NO-BREAK SPACE}drawn as an arrow: {_extent(result)}" if drawn else ""
    heading(top, "Latent causal graph", _caption(result, provenance), key=key, above=0 if len(nodes) <= NUMBERS else 9)
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


def _strongest_edges(result: AssayResult) -> list[Edge]:
    """Return the strongest edges, in rising order of their response."""
    matrix = result.arrays["matrix"].values
    return sorted(edges_of(result), key=lambda edge: float(matrix[edge]))[-DRAWN:]


def _extent(result: AssayResult) -> str:
    """Say which edges are drawn."""
    every, drawn = edges_of(result), _strongest_edges(result)
    if len(every) == len(drawn):
        return "all edges"
    return f"the {len(drawn)} strongest of {len(every):,} edges, from {result.arrays['matrix'].values[drawn[0]]:.2f} on"


def _matrix(figure: Figure, axes: Axes, result: AssayResult, nodes: np.ndarray, side: float) -> None:
    """Draw the responses of informative latents to one another, and frame those that are arrows."""
    matrix, se = (result.arrays[name].values[np.ix_(nodes, nodes)] for name in ("matrix", "matrix_se"))
    top = max(identity_response(scale_of(result.arrays["matrix"])), float(matrix.max(initial=0)))
    low, top = style.shared("response", 0, top)
    axes.imshow(matrix, cmap=style.SEQUENTIAL, vmin=low, vmax=top, interpolation="nearest")
    every = 1 if len(nodes) <= NUMBERS else -(-len(nodes) // 8)
    labels = [str(result.coordinates["responding"][node]) for node in nodes[::every]]
    axes.set_xticks(range(0, len(nodes), every), labels)
    axes.set_yticks(range(0, len(nodes), every), labels)
    axes.tick_params(length=0)
    axes.set_xlabel("responding latent")
    axes.set_ylabel("intervened latent")
    if len(nodes) <= NUMBERS:
        annotate(figure, axes, matrix, se, top, cell=72 * side / len(nodes))
    else:
        axes.set_title(f"response: dark 0, bright {top:.2g}", fontsize=style.TICK, loc="left", pad=3)
    place = {int(node): row for row, node in enumerate(nodes)}
    for j, k in _strongest_edges(result):
        corner = (place[k] - 0.46, place[j] - 0.46)
        axes.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, edgecolor="white", linewidth=1.0))


def _legend(axes: Axes, result: AssayResult) -> None:
    """Write what the colours mean, with the thresholds on the scale of the responses that are written."""
    settings, present = result.settings, {edges_of(result)[edge] for edge in _strongest_edges(result)}
    factor = identity_response(scale_of(result.arrays["matrix"])) / identity_response(NONE)
    meaning = {
        "unidirectional": f"one way: only this response > {factor * float(settings['unidirectional'] or 0):.2g}",
        "bidirectional": f"both ways: both responses > {factor * float(settings['bidirectional'] or 0):.2g}",
    }
    handles = [Line2D([], [], color=COLOURS[kind], linewidth=2.0) for kind in meaning if kind in present]
    if handles:
        axes.legend(
            handles,
            [text for kind, text in meaning.items() if kind in present],
            loc="upper center",
            bbox_to_anchor=(0.5, 0),
            frameon=False,
            borderpad=0,
        )


def _caption(result: AssayResult, provenance: results.Provenance) -> str:
    scores, settings = result.scores, result.settings
    counts = {
        key: f"{scores[f'num_{key}']:.0f} ± {scores[f'num_{key}_se']:.2g}" for key in ("informative", *KINDS.values())
    }
    stability, scale = scores["mean_stability"], scale_of(result.arrays["matrix"])
    others = [
        str(result.coordinates["responding"][j]) for j in np.flatnonzero(result.arrays["informative"].values == 0)
    ]
    return figure_caption(
        result,
        provenance,
        f"base {settings['base']}",
        f"{settings['num_samples']:,} draws",
        informative(result, counts["informative"], scale),
        f"edges: {counts['unidirectional']} one way, {counts['bidirectional']} both ways",
        "" if math.isnan(stability) else f"mean stability {stability:.2f}",
        f"not informative: {join_names(others, LISTED)}" if others else "",
        f"responses on the scale {scale}",
    )

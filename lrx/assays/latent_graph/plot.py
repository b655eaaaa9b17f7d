"""The latent causal graph as a picture and as GraphML, from a results file alone."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch

from lrx.assays.plotting import drawing, style
from lrx.assays.plotting.figure_caption import figure_caption, informative
from lrx.core.types import AssayResult
from lrx.storage import results
from lrx.storage.atomic import atomic_path

NAME = "latent_graph"
KINDS = {1: "unidirectional", 2: "bidirectional"}  # as in the array `edge`
COLOURS = {"unidirectional": "black", "bidirectional": style.ACCENT}
SIDE = 5.0  # inches, for the circle and a margin
EMPTY = 1.0  # inches in height of a graph without nodes
REACH = 1.15  # half the side, where the latents stand on a circle of radius 1
NODE = 0.09  # radius of a node, at most
CROWD = 24  # nodes from which arrows bow inwards in full
WIDEST = 4.0  # points of a line, at the response sqrt 2 of an identity or more
DRAWN = 40  # arrows, the strongest; more are a tangle
LISTED = 60  # latents that are not informative, by number
NAMESPACE = "http://graphml.graphdrawing.org/xmlns"
NODE_KEYS = {"label": "string", "response": "double", "response_se": "double", "stability": "double"}
EDGE_KEYS = {"kind": "string", "response": "double", "response_se": "double", "stability": "double"}


def draw(path_h5: Path, folder: Path) -> list[Path]:
    """Write `latent_graph.png` and `latent_graph.graphml` to the folder; the paths that were written.

    Both have the informative latents, in the picture on a circle in their order, clockwise from the top, and the edges
    between them, in the picture the 40 strongest; the wider and darker an edge, the stronger the response.
    ValueError when the file has no such assay.
    """
    result, provenance = drawing.read(path_h5, NAME)
    return [*drawing.save(figures, result, provenance, folder), _graphml(result, folder / f"{NAME}.graphml")]


def figures(result: AssayResult, provenance: results.Provenance) -> dict[str, Figure]:
    """The picture, by the name of its file."""
    figure = style.figure(SIDE, SIDE if result.arrays["informative"].values.any() else EMPTY)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH))
    axes.axis("off")
    _graph(axes, result)
    _below(axes, result)
    style.title(axes, "Latent causal graph", _small_print(result, provenance), characters=88)
    return {NAME: figure}


def edges_of(result: AssayResult) -> dict[tuple[int, int], str]:
    """The kind of each directed edge (j, k); a bidirectional pair is there as (j, k) and as (k, j)."""
    edge = result.arrays["edge"].values
    return {(int(j), int(k)): KINDS[int(edge[j, k])] for j, k in np.argwhere(edge)}


def _drawn(result: AssayResult) -> list[tuple[int, int]]:
    """The edges that are drawn, the strongest, in rising order of their response, so that the strong lie on top."""
    matrix = result.arrays["matrix"].values
    return sorted(edges_of(result), key=lambda edge: float(matrix[edge]))[-DRAWN:]


def _graph(axes: Axes, result: AssayResult) -> None:
    """Nodes, and a bowed arrow for each direction: the two of a pair lie side by side, each as wide as its response."""
    nodes = np.flatnonzero(result.arrays["informative"].values)
    angles = math.pi / 2 - 2 * math.pi * np.arange(len(nodes)) / max(1, len(nodes))
    place = {int(node): (math.cos(angle), math.sin(angle)) for node, angle in zip(nodes, angles, strict=True)}
    if len(nodes) == 1:
        place = {int(nodes[0]): (0.0, 0.0)}
    radius = min(NODE, 0.6 * math.pi / max(1, len(nodes)))
    gap = radius * 72 * SIDE / (2 * REACH) + 1.5  # in points
    matrix, edges = result.arrays["matrix"].values, edges_of(result)
    for j, k in _drawn(result):
        kind = edges[j, k]
        strength = min(1.0, float(matrix[j, k]) / math.sqrt(2))
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
        said = "no edge" if place else "no latent is informative"
        axes.text(0, 0.25 if len(place) == 1 else 0, said, ha="center", va="center", color=style.QUIET)


def _bow(start: tuple[float, float], end: tuple[float, float], nodes: int) -> float:
    """How far an arrow between two of so many places on the circle bows to its right, as a share of their distance.

    A little, to lie apart from the arrow of the other direction; and where nodes that are close together lie between,
    inwards to pass them.
    """
    along = (end[0] - start[0], end[1] - start[1])
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    distance = math.hypot(*along)
    centre = (middle[1] * along[0] - middle[0] * along[1]) / distance  # from the middle, to the right
    neighbours = distance < 3 * math.sin(math.pi / nodes)
    inwards = 0.0 if neighbours else 0.45 * min(1.0, nodes / CROWD) * centre
    return (inwards + 0.08 + 0.06 * distance) / distance


def _below(axes: Axes, result: AssayResult) -> None:
    """What the colours say, and the latents that are not in the picture."""
    settings, present = result.settings, {edges_of(result)[edge] for edge in _drawn(result)}
    meaning = {
        "unidirectional": f"one way: only this response > {settings['unidirectional']}",
        "bidirectional": f"both ways: both responses > {settings['bidirectional']}",
    }
    handles = [Line2D([], [], color=COLOURS[kind], linewidth=2.0) for kind in meaning if kind in present]
    if handles:
        labels = [said for kind, said in meaning.items() if kind in present]
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


def _small_print(result: AssayResult, provenance: results.Provenance) -> str:
    scores, settings = result.scores, result.settings
    counts = {
        key: f"{scores[f'num_{key}']:.0f} ± {scores[f'num_{key}_se']:.2g}" for key in ("informative", *KINDS.values())
    }
    stability, left_out = scores["mean_stability"], len(edges_of(result)) - len(_drawn(result))
    return figure_caption(
        result,
        provenance,
        f"base {settings['base']}",
        f"{settings['num_samples']:,} draws",
        informative(result, counts["informative"]),
        f"edges: {counts['unidirectional']} one way, {counts['bidirectional']} both ways",
        "" if math.isnan(stability) else f"mean stability {stability:.2f}",
        "wider and darker: stronger response" if edges_of(result) else "",
        f"the {DRAWN} strongest arrows are drawn, {left_out:,} are left out" if left_out else "",
    )


def _graphml(result: AssayResult, path: Path) -> Path:
    """Informative latents as nodes, edges with source and target; a bidirectional pair is two edges."""
    ElementTree.register_namespace("", NAMESPACE)
    root = ElementTree.Element(f"{{{NAMESPACE}}}graphml")
    for place, keys in (("node", NODE_KEYS), ("edge", EDGE_KEYS)):
        for name, kind in keys.items():
            attributes = {"id": f"{place}_{name}", "for": place, "attr.name": name, "attr.type": kind}
            ElementTree.SubElement(root, f"{{{NAMESPACE}}}key", attributes)
    graph = ElementTree.SubElement(root, f"{{{NAMESPACE}}}graph", {"id": NAME, "edgedefault": "directed"})
    numbers = [result.arrays[name].values for name in ("matrix", "matrix_se", "stability")]
    names = [f"z{label}" for label in result.coordinates["responding"]]
    for j in np.flatnonzero(result.arrays["informative"].values):
        element = ElementTree.SubElement(graph, f"{{{NAMESPACE}}}node", {"id": names[j]})
        _data(element, "node", NODE_KEYS, names[j], [float(values[j, j]) for values in numbers])
    for (source, target), kind in edges_of(result).items():
        element = ElementTree.SubElement(
            graph, f"{{{NAMESPACE}}}edge", {"source": names[source], "target": names[target]}
        )
        _data(element, "edge", EDGE_KEYS, kind, [float(values[source, target]) for values in numbers])
    ElementTree.indent(root)
    with atomic_path(path) as beside:
        ElementTree.ElementTree(root).write(beside, encoding="utf-8", xml_declaration=True)
    return path


def _data(element: ElementTree.Element, place: str, keys: dict[str, str], text: str, numbers: list[float]) -> None:
    for name, value in zip(keys, (text, *map(repr, numbers)), strict=True):
        ElementTree.SubElement(element, f"{{{NAMESPACE}}}data", {"key": f"{place}_{name}"}).text = value

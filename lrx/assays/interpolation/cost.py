"""Cost of the assay `interpolation`: its passes through the model, not the training of the probe."""

from __future__ import annotations

import math

from lrx.assays.interpolation.assay import PATHS, Settings
from lrx.core.known_classes import find_classes
from lrx.responses.cost import DOUBLE, Cost
from lrx.responses.encoding import num_drawn
from lrx.responses.measurement import Measurement


def cost(m: Measurement, settings: Settings) -> Cost:
    """Count the points of each kind of path, the descent of `relaxed` and the edges of the graph.

    At most: two nodes that are neighbours of each other share an edge, which is counted for both.
    """
    available = num_drawn(m.dataset)
    pairs = min(settings.num_pairs, available // 2)
    nodes = min(settings.num_nodes, available - 2 * pairs)
    every, points = 2 * pairs + nodes, pairs * settings.num_points
    descent = points * (settings.steps + 1)
    edges = min(every * (every - 1) // 2, every * (1 + min(settings.neighbours, every)))
    pulls = settings.pulls * pairs * (settings.num_points - 2)
    width = math.prod(m.dataset.observation_shape)
    return Cost(
        responses=descent + nodes + every + edges + pulls + len(PATHS) * points,
        products=descent,
        encoded=every,
        decoded=len(PATHS) * points + (2 * pairs if _reads_classes(m, settings) else 0),
        memory={
            f"graph of {every:,} nodes": 3 * DOUBLE * every**2,
            "images of paths": DOUBLE * len(PATHS) * min(settings.shown, pairs) * settings.num_points * width,
        },
        at_most=True,
        less=("num_pairs", "num_nodes", "steps"),
    )


def _reads_classes(m: Measurement, settings: Settings) -> bool:
    known = find_classes(m.dataset)
    is_read = settings.probe_steps is not None and len(m.dataset.observation_shape) == 3
    return is_read and known is not None and bool(known.varying)

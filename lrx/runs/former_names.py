"""Names that configs of earlier versions have, and what they are called now.

Run folders, checkpoints and results keep their config with the `_target_`s of the version that wrote them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar, cast

V = TypeVar("V")

# version 0.1.0: one file an assay, whose function had `_partial_: true`
ASSAYS = (
    *("codes", "conditioned_response", "factor_inference", "generation", "interpolation", "latent_graph", "manifold"),
    *("metrics", "paper", "reconstruction", "response_map", "response_matrix", "traversal"),
)
TARGETS = {f"lrx.assays.{name}.{name}": f"lrx.assays.{name}.assay.Settings" for name in ASSAYS}
TARGETS["lrx.layouts.Layout"] = "lrx.storage.state_dict_layouts.Layout"
# settings that came later, and the values that stand for what was done without them
LATER = {
    "lrx.assays.metrics.assay.Settings": {"information": "quantiles", "pruning": "range"},
    "lrx.data.folder.folder": {"background": "white", "frames": "first", "labels": "auto"},
}
# before there were units, the default `base` was the prior, which is what `auto` means for vectors
BASE_WAS_PRIOR = ("lrx.assays.response_matrix.assay.Settings", "lrx.assays.latent_graph.assay.Settings")
# settings of assay=paper that say what the descriptions of the assays say now
GONE = ("need_factors", "need_classes")
NO_LONGER_PARTIAL = frozenset(f"lrx.assays.{name}.{name}" for name in ASSAYS)


def current_flat(flat: Mapping[str, V]) -> dict[str, V]:
    """Return a config, as dotted keys and scalar values, with the names and the settings that lrx has now."""
    gone = tuple(f"assay.{name}" for name in GONE)
    current = {key: value for key, value in flat.items() if not key.startswith(gone)}
    for key in [key for key in current if key.endswith("_target_")]:
        target = str(current[key])
        if target in NO_LONGER_PARTIAL:
            current.pop(key.replace("_target_", "_partial_"), None)
        if target in TARGETS:
            target = TARGETS[target]
            current[key] = cast(V, target)
        base, units = (key.replace("_target_", name) for name in ("base", "units"))
        if target in BASE_WAS_PRIOR and units not in current and current.get(base) == "prior":
            current[base] = cast(V, "auto")
        for name, value in LATER.get(target, {}).items():
            current.setdefault(key.replace("_target_", name), cast(V, value))
    return current


def current_node(node: object) -> object:
    """Return a config, as nested mappings and lists, with the names that lrx has now."""
    if isinstance(node, list):
        return [current_node(value) for value in node]
    if not isinstance(node, dict):
        return node
    target = node.get("_target_")
    gone = ("_partial_", *GONE) if target in NO_LONGER_PARTIAL else ()
    current = {key: current_node(value) for key, value in node.items() if key not in gone}
    if isinstance(target, str) and target in TARGETS:
        current["_target_"] = TARGETS[target]
    return current

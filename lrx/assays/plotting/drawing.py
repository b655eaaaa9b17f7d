"""What all drawing modules share: an assay is read from a file, its figures are drawn in one style, and saved as PNG.

A drawing module is named after its assay and has `figures(result, provenance)`, figures by the name of their file, and
`draw(path_h5, folder)`, which saves them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.core.types import AssayResult
from lrx.storage import results

Figures = Callable[[AssayResult, results.Provenance], Mapping[str, Figure]]


def draw(name: str, figures: Figures, path_h5: Path, folder: Path) -> list[Path]:
    """Save the figures of the assay of this name; the paths that were written. ValueError when the file has none."""
    return save(figures, *read(path_h5, name), folder)


def read(path_h5: Path, name: str) -> tuple[AssayResult, results.Provenance]:
    """The assay of this name in a results file, and its provenance. ValueError when the file has none."""
    stored = results.read(path_h5)
    if name not in stored.assays:
        raise ValueError(f"{path_h5} has no {name}; it has {', '.join(stored.assays) or 'no assay'}")
    return stored.assays[name], stored.provenance_of[name]


def save(figures: Figures, result: AssayResult, provenance: results.Provenance, folder: Path) -> list[Path]:
    """Draw an assay and save each figure as <name>.png in the folder; the paths that were written."""
    with style.plot_style():
        drawn = figures(result, provenance)
        return [style.save(figure, folder / f"{name}.png") for name, figure in drawn.items()]

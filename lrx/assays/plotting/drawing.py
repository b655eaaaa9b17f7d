"""Pictures of an assay, drawn from its results file alone in one style, and other files made from the same result.

The plot module of an assay has `figures(result, provenance)`, its figures by the names of their files without `.png`,
and may have `exports(result, provenance)`, the contents of other files by their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from matplotlib.figure import Figure

from lrx.assays import catalog
from lrx.assays.plotting import style
from lrx.core.text import reason
from lrx.core.types import AssayResult
from lrx.storage import results
from lrx.storage.atomic import write

Figures = Callable[[AssayResult, results.Provenance], Mapping[str, Figure]]


def draw(name: str, path_h5: Path, folder: Path) -> list[Path]:
    """Write the pictures and exports of an assay to a folder, and return their paths.

    There are none where it has no plot module or its result is empty. ValueError when the file has no such assay.
    """
    figures, exports = catalog.figures_of(name), catalog.exports_of(name)
    if figures is None:
        return []
    result, provenance = read(path_h5, name)
    if result.is_empty:
        return []
    paths = save(figures, result, provenance, folder)
    for file, content in (exports(result, provenance) if exports else {}).items():
        write(folder / file, content)
        paths.append(folder / file)
    return paths


def read(path_h5: Path, name: str) -> tuple[AssayResult, results.Provenance]:
    """Return the assay of this name in a results file, and its provenance. ValueError when the file has none."""
    stored = results.read(path_h5)
    if name not in stored.assays:
        raise ValueError(f"{path_h5} has no {name}; it has {', '.join(stored.assays) or 'no assay'}")
    return stored.assays[name], stored.provenance_of[name]


@contextmanager
def drawing_errors(name: str, file: Path) -> Iterator[None]:
    """Turn any error of drawing an assay into a ValueError of one line that names the file."""
    try:
        yield
    except Exception as error:  # drawing raises anything, for arrays that a file may hold
        problem = f"lacks {error}" if isinstance(error, KeyError) else f"cannot be drawn ({reason(error)})"
        raise ValueError(f"{file}: its {name} {problem}; was it written by another version of lrx?") from error


def save(figures: Figures, result: AssayResult, provenance: results.Provenance, folder: Path) -> list[Path]:
    """Draw an assay, save each figure as <name>.png in the folder, and return the paths."""
    with style.plot_style():
        by_name = figures(result, provenance)
        return [style.save(figure, folder / f"{name}.png") for name, figure in by_name.items()]

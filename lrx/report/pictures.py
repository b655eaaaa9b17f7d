"""Pictures as parts of a page: the figures that the drawing modules draw, as data URIs with a text for each."""

from __future__ import annotations

import base64
import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from lrx.assays.plotting import style
from lrx.core.types import AssayResult
from lrx.report.captions import CAPTIONS
from lrx.report.meanings import ASSAYS
from lrx.runs.run_tree import one_line
from lrx.storage import results

CSS_DPI = 96  # pixels of CSS in an inch


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI, its size in pixels of CSS, what it shows in words, and how to read it."""

    uri: str
    width: int
    height: int
    alt: str
    caption: str = ""


def of_assay(name: str, result: AssayResult, provenance: results.Provenance, file: Path) -> list[Picture]:
    """The pictures of an assay; none of one that lrx does not know. ValueError for a result that cannot be drawn."""
    module = f"lrx.assays.{name}.plot"
    if name not in ASSAYS or importlib.util.find_spec(module) is None:
        return []
    model, dataset = (str(provenance.get(key, f"{key} not recorded")) for key in ("model", "dataset"))
    try:
        with style.plot_style():
            figures: Mapping[str, Figure] = importlib.import_module(module).figures(result, provenance)
            return [
                picture(
                    figure,
                    f"{ASSAYS[name].pictures[key]} {model.rpartition('.')[2]} on {dataset}.",
                    caption=CAPTIONS[key],
                )
                for key, figure in figures.items()
            ]
    except Exception as error:  # whatever drawing makes of arrays that a file may hold
        told = f"lacks {error}" if isinstance(error, KeyError) else f"cannot be drawn ({reason(error)})"
        raise ValueError(f"{file}: its {name} {told}; was it written by another version of lrx?") from error


def reason(error: Exception) -> str:
    """An error in one line; its kind where it has no words."""
    return one_line(str(error)) or type(error).__name__


def picture(figure: Figure, alt: str, *, caption: str = "") -> Picture:
    """A figure as a picture. To be called within `style.house()`."""
    data = style.png(figure)
    width, height = (int.from_bytes(data[start : start + 4], "big") for start in (16, 20))  # of the header of a PNG
    uri = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    return Picture(uri, round(width * CSS_DPI / style.DPI), round(height * CSS_DPI / style.DPI), alt, caption)

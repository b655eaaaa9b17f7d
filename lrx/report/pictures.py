"""Pictures of a page: figures as data URIs, with a text for those who do not see them, and a caption."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from lrx.assays import catalog
from lrx.assays.plotting import style
from lrx.assays.plotting.drawing import drawing_errors
from lrx.core.text import humanize
from lrx.core.text import reason as reason
from lrx.core.types import AssayResult
from lrx.storage import results

CSS_DPI = 120  # CSS pixels an inch of a picture: its letters of 8 points are as large as small print of the page


@dataclass(frozen=True)
class Picture:
    """Picture as a data URI, its size in CSS pixels, what it shows in words, and how to read it."""

    uri: str
    width: int
    height: int
    alt: str
    caption: str = ""


def assay_pictures(
    name: str, result: AssayResult, provenance: results.Provenance, file: Path
) -> tuple[list[Picture], list[str]]:
    """Return the pictures of an assay, and a line for each that its description lacks.

    A foreign assay and an empty result have none. ValueError for a result that cannot be drawn.
    """
    description, figures_of = catalog.describe(name), catalog.figures_of(name)
    if description is None or figures_of is None or result.is_empty:
        return [], []
    model, dataset = (str(provenance.get(key, f"{key} not recorded")) for key in ("model", "dataset"))
    subject = f"{model.rpartition('.')[2]} on {dataset}."
    pictures, undescribed = [], []
    with drawing_errors(name, file), style.plot_style():
        for key, figure in figures_of(result, provenance).items():
            if key in description.pictures:
                alt, caption = description.pictures[key].alt, description.pictures[key].reading
            else:
                alt, caption = f"Picture {humanize(key)} of {description.title}.", ""
                undescribed.append(f"lrx/assays/{name}/description.py describes no picture {key!r}; add it there")
            pictures.append(as_picture(figure, f"{alt} {subject}", caption=caption))
    return pictures, undescribed


def as_picture(figure: Figure, alt: str, *, caption: str = "") -> Picture:
    """Turn a figure into a picture; to be called within `style.plot_style()`."""
    data = style.png(figure)
    width, height = (int.from_bytes(data[start : start + 4], "big") for start in (16, 20))  # of the header of a PNG
    uri = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    return Picture(uri, round(width * CSS_DPI / style.DPI), round(height * CSS_DPI / style.DPI), alt, caption)

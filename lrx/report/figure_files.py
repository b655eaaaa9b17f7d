"""Figures for print: pictures of results files as PDF, SVG or PNG, alone or next to those of other results."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from lrx.assays import catalog
from lrx.assays.plotting import style
from lrx.assays.plotting.drawing import drawing_errors
from lrx.assays.plotting.side_by_side import draw_pictures
from lrx.core.paths import why_no_file
from lrx.core.text import join_names
from lrx.core.types import AssayResult
from lrx.storage import results
from lrx.storage.atomic import write
from lrx.storage.overwrite import check_target, has_near_start

FOLDER = "figures"
WHOLE = 1 << 27  # bytes of a file in which the mark of lrx is looked for; that of a PDF is at its end


def write_figures(
    paths: Sequence[Path], *, assay: str | None, file_format: str | None, width: float | None, out: Path | None
) -> list[tuple[Path, str]]:
    """Write the pictures of results files, and return each path with its caption.

    paths: files, or folders of assays; the pictures of several are drawn next to one another. assay: None for all of
    the first file that have pictures. file_format: one of `style.FORMATS`; None: that of `out`, else pdf. width: inches
    of each figure. out: a folder, or the file of a single picture; None: the folder `figures` beside a single result,
    in the current folder for several.
    ValueError and OSError for files without such an assay, results that cannot be drawn, and figures that would replace
    a file that lrx did not draw.
    """
    files = {path / results.FILENAME if path.is_dir() else path: None for path in paths}
    if len(files) < len(paths):
        raise ValueError(f"a result is given twice: {', '.join(map(str, paths))}")
    stored = {file: _read(file) for file in files}
    first = next(iter(files))
    names = [assay] if assay else [name for name in stored[first].assays if catalog.figures_of(name)]
    if not names:
        raise ValueError(f"{first} has no pictures to draw; it has {_listed(stored[first].assays)}")
    for file, content in stored.items():
        for name in names:
            _check_assay(file, content, name)
    folder, is_file = _place(out, first.parent if len(files) == 1 else Path())
    ending = _ending(file_format, out if is_file else None)
    labels = _labels(list(files))
    with style.plot_style():
        drawn = dict[str, Figure]()
        for name in names:
            drawn |= draw_pictures({labels[file]: _drawing(file, stored[file], name) for file in files}, width)
        if is_file and len(drawn) > 1:
            raise ValueError(f"out={out} is one file for {len(drawn)} pictures ({', '.join(drawn)}); give a folder")
        targets = {name: out if is_file and out else folder / f"{name}.{ending}" for name in drawn}
        for target in targets.values():
            check_target(target, f".{ending}", has_near_start(style.MARK, within=WHOLE))
        contents = {targets[name]: style.content(figure, ending) for name, figure in drawn.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for target, data in contents.items():
        write(target, data)
    return [(targets[name], str(figure.get_label())) for name, figure in drawn.items()]


def _read(file: Path) -> results.Results:
    if not file.is_file():
        raise FileNotFoundError(f"{file}: {why_no_file(file)}; give a {results.FILENAME}, or a folder that has one")
    return results.read(file)


def _check_assay(file: Path, content: results.Results, name: str) -> None:
    """Check that a file has an assay with pictures and values. ValueError with the nearest name, and those it has."""
    if name not in content.assays:
        near = difflib.get_close_matches(name, content.assays, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ValueError(f"{file} has no assay {name}; {hint}it has {_listed(content.assays)}")
    if catalog.figures_of(name) is None:
        raise ValueError(f"{name} has no picture; {file} has {_listed(content.assays)}")
    if content.assays[name].is_empty:
        raise ValueError(f"{file}: its {name} is empty, so there is nothing to draw")


def _listed(assays: Mapping[str, AssayResult]) -> str:
    return join_names(list(assays), most=20) or "no assay"


def _drawing(file: Path, content: results.Results, name: str) -> Callable[[], Mapping[str, Figure]]:
    """Return the function that draws an assay of a file; its errors name the file."""
    figures = catalog.figures_of(name)
    assert figures is not None

    def draw() -> Mapping[str, Figure]:
        with drawing_errors(name, file):
            return figures(content.assays[name], content.provenance_of[name])

    return draw


def _place(out: Path | None, default: Path) -> tuple[Path, bool]:
    """Return the folder of the figures, and whether `out` names a file: one is there, or it has a suffix."""
    if out is None:
        return default / FOLDER, False
    is_file = out.is_file() or (bool(out.suffix) and not out.is_dir())
    return (out.parent if is_file else out), is_file


def _ending(file_format: str | None, file: Path | None) -> str:
    """Return the format, that of a file where there is one. ValueError where both differ, or it is none of ours."""
    if file is None:
        return file_format or style.FORMATS[0]
    ending = file.suffix.lower().removeprefix(".")
    if ending not in style.FORMATS:
        raise ValueError(f"out={file} must be a folder, or end in {', '.join('.' + each for each in style.FORMATS)}")
    if file_format not in (None, ending):
        raise ValueError(f"out={file} and format={file_format} are two formats; leave one of them out")
    return ending


def _labels(files: list[Path]) -> dict[Path, str]:
    """Return a short name for each file: the parts of its path in which they differ, without those that all share."""
    parts = [(*file.resolve().parts[:-1], file.stem) for file in files]
    while len({each[-1] for each in parts}) == 1 and all(len(each) > 1 for each in parts) and len(files) > 1:
        parts = [each[:-1] for each in parts]
    depth = 1
    while len({each[-depth:] for each in parts}) < len(parts):
        depth += 1
    return {file: "/".join(each[-depth:]) for file, each in zip(files, parts, strict=True)}

"""Report of a run or of a sweep: one self-contained HTML file, from result files and run folders alone.

Texts from files are escaped by jinja2; a content security policy allows the page's own script only, and no loading.
"""

from __future__ import annotations

import base64
from pathlib import Path

import jinja2
from markupsafe import Markup

import lrx
from lrx.core.checksum import sha256
from lrx.report import compare_page, run_contents, run_page, sweep_page
from lrx.runs.catalog import find_measured
from lrx.storage.atomic import atomic_path
from lrx.storage.overwrite import check_target, has_near_start

TEMPLATES = Path(__file__).parent / "templates"
TITLE_END = "– lrx report</title>"  # of each page, by which an older one is known


def write(path: Path, out: Path | None) -> tuple[Path, list[str]]:
    """Write the report of a run folder, a sweep's folder or a results file; return its path, and a line for each fault.

    out: the file to write; None for `report.html` in the folder, or beside the file.
    ValueError and OSError for a path that holds no run, a results file that is damaged, and a page that would replace a
    file of another kind.
    """
    runs = find_measured(path)
    out = out or (path if path.is_dir() else path.parent) / "report.html"
    check_target(out, ".html", has_near_start(TITLE_END, within=4096))
    if len(runs) == 1:
        run_view = run_page.view(run_contents.read(runs[0], strict=path.is_file()))
        page, faults = _render("run.html", **run_view), run_view["faults"]
    else:
        sweep_view = sweep_page.view(path.resolve().name, runs)
        page, faults = _render("sweep.html", **sweep_view), sweep_view["faults"]
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(out) as beside:
        beside.write_bytes(page.encode("utf-8", errors="replace"))  # a folder's name may be no UTF-8
    return out, faults


def write_comparison(paths: tuple[Path, Path], out: Path | None) -> tuple[Path, list[str]]:
    """Write a page that compares two runs or results; return its path, and a line for each fault.

    out: the file to write; None for `comparison-with-NAME.html` in the folder of the first. ValueError and OSError for
    a path that holds no run or several, and as `write`.
    """
    runs = [find_measured(path) for path in paths]
    for path, found in zip(paths, runs, strict=True):
        if len(found) != 1:
            raise ValueError(f"{path} holds {len(found)} runs, and a comparison takes one; give the folder of a run")
    folder = paths[0] if paths[0].is_dir() else paths[0].parent
    out = out or folder / f"comparison-with-{runs[1][0].folder.name}.html"
    check_target(out, ".html", has_near_start(TITLE_END, within=4096))
    first, second = (
        run_contents.read(found[0], strict=path.is_file()) for path, found in zip(paths, runs, strict=True)
    )
    compared = compare_page.view(first, second)
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(out) as beside:
        beside.write_bytes(_render("compare.html", **compared).encode("utf-8", errors="replace"))
    return out, compared["faults"]


def _render(template: str, **view: object) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.filters["whole"] = _without_breaks
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(bytes.fromhex(sha256(script))).decode()
    style = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    own = {
        "script": Markup(script),
        "script_sha256": digest,
        "style": Markup(style),
        "version": lrx.__version__,
        "title_end": Markup(TITLE_END),
    }
    return environment.get_template(template).render(**own, **view)


def _without_breaks(text: str) -> str:
    """Keep a value with its error, and a percentage, in one line."""
    return text.replace(" ± ", "\u00a0±\u00a0").replace(" %", "\u00a0%")

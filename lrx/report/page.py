"""A report: one HTML file that needs no other, of a run or of a sweep, from result files and run folders alone.

Whatever comes from a file is escaped by jinja2; beside that, a content security policy runs no script but our own, and
loads nothing from anywhere.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import jinja2
from markupsafe import Markup

import lrx
from lrx.report import measured_runs, run_page, sweep_page
from lrx.storage.atomic import atomic_path

TEMPLATES = Path(__file__).parent / "templates"


def write(path: Path, out: Path | None) -> tuple[Path, list[str]]:
    """Write the report of a run folder, a sweep's folder or a results file; its path, and a line for each fault.

    out: the file to write; None for `report.html` in the folder, or beside the file.
    ValueError and OSError for a path that holds no run, or a file that is no whole results file.
    """
    places = measured_runs.places(path)
    out = out or (path if path.is_dir() else path.parent) / "report.html"
    if len(places) == 1:
        one = run_page.view(measured_runs.read(places[0]))
        page, faults = _rendered("run.html", **one), one["faults"]
    else:
        many = sweep_page.view(path, places)
        page, faults = _rendered("sweep.html", **many), many["faults"]
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(out) as beside:
        beside.write_text(page, encoding="utf-8")
    return out, faults


def _rendered(template: str, **view: object) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    style = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    own = {"script": Markup(script), "script_sha256": digest, "style": Markup(style), "version": lrx.__version__}
    return environment.get_template(template).render(**own, **view)

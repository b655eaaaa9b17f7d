"""Executed notebooks as markdown, with their outputs and pictures in the page."""

from __future__ import annotations

import base64
from pathlib import Path

from nbconvert import MarkdownExporter

DOCS = Path(__file__).parents[1] / "docs"


def markdown(path: str) -> str:
    """Return the notebook docs/<path> as markdown; its pictures as data URIs, so that the page fetches nothing."""
    body, resources = MarkdownExporter().from_filename(str(DOCS / path))
    for name, data in resources["outputs"].items():
        body = body.replace(f"({name})", f"(data:image/png;base64,{base64.b64encode(data).decode()})")
    return str(body)

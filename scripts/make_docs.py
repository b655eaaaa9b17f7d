"""Hooks of mkdocs.yml: tables made from code, formulas as MathML, only pages that are there, nothing from elsewhere.

In a page, `<!-- table: settings assay/manifold -->` is replaced by what TABLES["settings"]("assay/manifold") gives.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

import docs_contents
import docs_tables
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

MARK = re.compile(r"<!-- table: (\w+)(?: (\S+))? -->")
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.S)
FETCHED = re.compile(r'<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)="((?:https?:)?//[^"]*)"')
TABLES: dict[str, Callable[..., str]] = {
    "settings": docs_tables.settings,
    "every_key": docs_tables.every_key,
    "objectives": docs_tables.objectives,
    "networks": docs_tables.networks,
    "scores": docs_tables.scores,
    "contents": docs_contents.contents,
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Leave out of the navigation what other scripts have not written yet."""
    assert config.nav is not None
    config.nav = present(config.nav, Path(config.docs_dir))
    return config


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put tables in their places."""
    return MARK.sub(lambda mark: TABLES[mark[1]](*filter(None, mark.groups()[1:])), markdown)


def on_page_content(content: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn formulas into MathML, which browsers draw without a script."""
    return FORMULA.sub(lambda found: mathml(found[3], block=found[2] == "["), content)


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Refuse a page that would fetch something from the network when it is read."""
    found = FETCHED.search(output)
    if found:
        raise PluginError(f"{page.file.src_uri} would fetch {found[1]}")
    return output


def mathml(latex: str, *, block: bool) -> str:
    """A formula as MathML."""
    return convert(html.unescape(latex).strip(), display="block" if block else "inline")


def present(nav: list, folder: Path) -> list:
    """The entries of a navigation whose pages are in the folder, and the sections that have any."""
    kept = []
    for entry in nav:
        if isinstance(entry, dict):
            ((title, inner),) = entry.items()
            found = present(inner, folder) if isinstance(inner, list) else inner if (folder / inner).is_file() else None
            kept += [{title: found}] if found else []
        elif (folder / entry).is_file():
            kept.append(entry)
    return kept

"""Hooks of mkdocs.yml: tables generated from code, formulas as MathML, patterns in the navigation, no remote files.

In a page, `<!-- table: settings assay/manifold -->` is replaced by the result of TABLES["settings"]("assay/manifold").
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import docs_contents
import docs_notebook
import docs_tables
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

from lrx.assays import catalog

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
    "assays": docs_tables.assays,
    "assay_reference": docs_tables.assay_reference,
    "metric_reference": docs_tables.metric_reference,
    "notebook": docs_notebook.markdown,
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the navigation: a pattern such as `reference/api/*.md` stands for its pages."""
    assert config.nav is not None
    config.nav = expand(config.nav, Path(config.docs_dir))
    return config


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Insert the tables."""
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
    """Convert a formula to MathML."""
    return convert(html.unescape(latex).strip(), display="block" if block else "inline")


def expand(nav: list, folder: Path) -> list:
    """Return a navigation with the pages that its patterns stand for, without those that it names itself."""
    named = {page for page in pages(nav) if "*" not in page}
    entries: list = []
    for entry in nav:
        if isinstance(entry, dict):
            ((title, inner),) = entry.items()
            entries.append({title: expand(inner, folder) if isinstance(inner, list) else inner})
        elif "*" in entry:
            there = {path.relative_to(folder).as_posix() for path in folder.glob(entry)} - named
            entries += sorted(there, key=lambda page: (order_of(Path(page).stem), page))
        else:
            entries.append(entry)
    return entries


def order_of(name: str) -> int:
    """Return the place of an assay in reports; behind all of them for other pages."""
    names = list(catalog.descriptions())
    return names.index(name) if name in names else len(names)


def pages(nav: object) -> Iterator[str]:
    """Yield the pages of a navigation."""
    if isinstance(nav, str):
        yield nav
    for entry in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from pages(entry)

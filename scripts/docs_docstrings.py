"""Docstrings of lrx for the API pages: each setting, written `name: meaning`, becomes an item of a list."""

from __future__ import annotations

import re

import griffe
from docs_tables import NEXT

SETTING = re.compile(r"^ *(?P<names>(?:`?[a-z]\w*`?, )*`?[a-z]\w*`?)(?: \([^)]*\))?: (?P<said>.*)$")
SENTENCE = re.compile(r"^(?:[A-Z]\w+Error|Scores?|Arrays|Settings|Memory)\b")


class Settings(griffe.Extension):
    """Griffe extension that rewrites docstrings when they are read."""

    def on_object(self, *, obj: griffe.Object, **kwargs: object) -> None:
        """Convert settings to items, and the text after them to separate paragraphs."""
        if obj.docstring and not obj.is_attribute:
            obj.docstring.value = as_list(obj.docstring.value)


def as_list(text: str) -> str:
    """Return a docstring with its settings as a markdown list.

    The first paragraph is unchanged: it is a sentence that may contain a colon.
    """
    first, _, rest = text.partition("\n\n")
    lines = []
    for line in NEXT.sub("\n", rest).splitlines():
        found = SETTING.match(line)
        if found and not line.startswith("    "):
            lines += ["", f"- **{found['names'].replace('`', '')}**: {found['said']}"]
        elif SENTENCE.match(line):
            lines += ["", "", line]
        else:
            lines.append(line)
    return first + "\n\n" + "\n".join(lines)

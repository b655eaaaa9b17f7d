"""For the API pages: what docstrings of lrx say of each setting, `name: what it is`, becomes an item of a list."""

from __future__ import annotations

import re

import griffe
from docs_tables import NEXT

SETTING = re.compile(r"^ *(?P<names>(?:`?[a-z]\w*`?, )*`?[a-z]\w*`?)(?: \([^)]*\))?: (?P<said>.*)$")
SENTENCE = re.compile(r"^(?:[A-Z]\w+Error|Scores?|Arrays|Settings|Memory)\b")


class Settings(griffe.Extension):
    """Rewrites docstrings as they are read."""

    def on_object(self, *, obj: griffe.Object, **kwargs: object) -> None:
        """Mark settings as items, and what comes after them as paragraphs of their own."""
        if obj.docstring and not obj.is_attribute:
            obj.docstring.value = as_list(obj.docstring.value)


def as_list(text: str) -> str:
    """A docstring with its settings as a markdown list.

    The first paragraph stays: it is a sentence that may well have a colon.
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

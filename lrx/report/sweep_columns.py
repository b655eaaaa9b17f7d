"""Choice among the scores of a sweep: the columns of its table that fit a page, and the axes of its plot."""

from __future__ import annotations

from collections.abc import Sequence

from lrx.report.run_page import description_of
from lrx.report.sweep_data import finite
from lrx.report.sweep_runs import Key, SweepRun
from lrx.runs.table import TRAINED

PAGE = 1080.0  # CSS pixels of a table in a window of 1200
LETTER, PADDING, LEAST = 7.2, 12.0, 64.0  # CSS pixels of a letter, of a cell beside its text, and of a head


def fitting(
    keys: Sequence[Key], heads: Sequence[str], texts: Sequence[Sequence[str]], before: Sequence[str]
) -> list[Key]:
    """Return the scores whose columns fit the page, in their order.

    Assays that make headlines are taken first, and of the others the first score each. heads, texts: of each score, its
    head and cells. before: the longest text of each column before them.
    """
    width = sum(max(LEAST, LETTER * len(text)) + PADDING for text in before)
    firsts = dict(reversed(keys))

    def rank(key: Key) -> tuple[bool, bool]:
        return not description_of(key[0]).headline, firsts[key[0]] != key[1]

    chosen: set[Key] = set()
    for key, head, cells in sorted(zip(keys, heads, texts, strict=True), key=lambda entry: rank(entry[0])):
        longest = max((len(text) for text in (*cells, *head.split())), default=0)
        width += max(LEAST, LETTER * longest) + PADDING
        if width > PAGE and chosen:
            break
        chosen.add(key)
    return [key for key in keys if key in chosen]


def first_axes(rows: Sequence[SweepRun], scores: Sequence[Key], main: Sequence[Key]) -> tuple[int, int]:
    """Return the positions of the two scores that are plotted first.

    They differ between runs and most runs have them. Main scores come first, then those with a best, then losses, then
    others; where there are, of two assays.
    """
    values = {key: [value for row in rows if (value := finite(row.scores.get(key))) is not None] for key in scores}

    def rank(key: Key) -> tuple[int, bool, int]:
        kinds = (key in main, description_of(key[0]).direction(key[1]) != 0, key[0] == TRAINED, True)
        return kinds.index(True), key == (TRAINED, "loss"), -len(values[key])  # the loss is the sum of the others

    differing = sorted((key for key in scores if len(set(values[key])) > 1), key=rank)
    if len(differing) < 2:
        return (0, min(1, max(0, len(scores) - 1)))
    first = differing[0]
    alike = [key for key in differing[1:] if rank(key)[0] == rank(differing[1])[0]]
    second = next((key for key in alike if key[0] != first[0]), differing[1])
    return scores.index(first), scores.index(second)

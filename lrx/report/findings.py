"""Findings of a run: what its assays found, what their scores mean together, and what is doubtful.

Each is a sentence that a rule makes from numbers, with the assays whose sections show them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lrx.assays import catalog
from lrx.assays.summary import summarize
from lrx.core.text import humanize
from lrx.core.types import AssayResult
from lrx.report.joint_rules import DOUBTS, TOGETHER, Rule, still_falling

Assays = Mapping[str, AssayResult]


@dataclass(frozen=True)
class Finding:
    """Sentence with its numbers, and the assays that it is from."""

    text: str
    assays: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """Sentences of the assays that make headlines, those on several assays, doubts, and sentences of other assays."""

    found: list[Finding]
    together: list[Finding]
    doubtful: list[Finding]
    others: list[Finding]


def findings(assays: Assays, curves: Sequence[Mapping[str, float]]) -> Findings:
    """Return the findings of results by assay, in their order, and of the rows of a training log.

    Without an assay that makes headlines, the sentences of all are `found`.
    """
    headlines: list[Finding] = []
    others: list[Finding] = []
    doubtful = [Finding(falling)] if (falling := still_falling(curves)) else []
    for name, result in assays.items():
        summary, remark = summarize(name, result), str(result.settings.get("remark") or "")
        description = catalog.describe(name)
        if summary.sentence:
            (headlines if description and description.headline else others).append(Finding(summary.sentence, (name,)))
        title = description.title if description else humanize(name)
        doubts = [*([f"{title}: {remark.rstrip('.')}."] if remark else []), *summary.doubts]
        doubtful += [Finding(doubt, (name,)) for doubt in doubts]
    together, doubtful = [*_by(TOGETHER, assays)], [*doubtful, *_by(DOUBTS, assays)]
    return Findings(headlines or others, together, doubtful, others if headlines else [])


def _by(rules: Iterable[Rule], assays: Assays) -> Iterable[Finding]:
    """Yield what rules say; those say nothing whose assays or scores are not there, or of another kind."""
    for needed, rule in rules:
        if all(name in assays and not assays[name].is_empty for name in needed):
            try:
                text = rule(*(assays[name] for name in needed))
            except (KeyError, IndexError, ValueError, TypeError, OverflowError):
                continue  # a file of another version, or with arrays of any kind
            if text:
                yield Finding(text, needed)

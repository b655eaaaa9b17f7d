"""Description of an assay: its question, what its scores and pictures mean, and what it needs.

It stands as `DESCRIPTION` in `lrx/assays/<name>/description.py`. Report, terminal, documentation and `assay=paper` read
it from there; there is no other list of assays. It imports no torch, so that results can be read without.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Picture:
    """Picture of an assay: `alt` says what it shows, for those who do not see it; `reading` what is good and bad."""

    alt: str
    reading: str


@dataclass(frozen=True, kw_only=True)
class Codes:
    """Codes that an assay measures; it refuses others before it spends a pass (`lrx.assays.requirements`).

    places: codes (channel, y, x) alone. sparse: sparse codes alone, which all other assays refuse. prior: those that
    have a standard normal as prior. continuous: what the assay does that needs continuous latents, such as
    `differentiates h`; empty where it measures quantised ones too.
    """

    places: bool = False
    sparse: bool = False
    prior: bool = False
    continuous: str = ""


@dataclass(frozen=True, kw_only=True)
class Description:
    """Description of an assay in words.

    position: its place in reports and in `assay=paper`, ascending; assays of one position by name.
    question: what it asks, one sentence.
    scores: a sentence for each score. A name may have `{}` for a part of it: `frechet_{}` names `frechet_prior`, and
        its sentence has the word that `words` gives for `prior` in that place.
    main_scores: those that sum it up, in reports of sweeps.
    higher, lower: those of which a higher, or a lower, value is better, with `{}` as in `scores`; others have no best.
    headline: whether its answer stands on the first screen of a report, beside what is doubtful.
    pictures: by the name of the file without `.png`.
    needs: `factors` (a grid of known factors), `classes` (factors or labels), or `` for any images.
    codes: those that it measures; all dense ones by default.
    in_paper: whether `assay=paper` runs it. shards: whether `assay.shards` can divide it.
    """

    title: str
    question: str
    position: int = 1000
    scores: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    main_scores: tuple[str, ...] = ()
    higher: tuple[str, ...] = ()
    lower: tuple[str, ...] = ()
    headline: bool = False
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    needs: str = ""
    codes: Codes = Codes()
    in_paper: bool = False
    shards: bool = False

    def __post_init__(self) -> None:
        assert self.needs in ("", "factors", "classes"), self.needs

    def meaning(self, score: str) -> str:
        """Return what a score means; empty for one that this version does not know."""
        place, parts = self._match(score)
        sentences = list(self.scores.values())
        return sentences[place].format(*(self.words.get(part, part) for part in parts)) if parts is not None else ""

    def direction(self, score: str) -> int:
        """Return 1 for a score of which higher is better, -1 where lower is, 0 for one without a best."""
        for names, sign in ((self.higher, 1), (self.lower, -1)):
            if any(re.fullmatch(name.replace("{}", ".+"), score) for name in names):
                return sign
        return 0

    def score_order(self, score: str) -> tuple[int, ...]:
        """Return a key that sorts scores as `scores` has them, then by the parts of their names; unknown ones last."""
        place, parts = self._match(score)
        order = list(self.words)
        return place, *(
            order.index(part) if part in self.words else len(order) + (int(part) if _is_short_number(part) else 0)
            for part in parts or ()
        )

    def _match(self, score: str) -> tuple[int, tuple[str, ...] | None]:
        for place, name in enumerate(self.scores):
            match = re.fullmatch(name.replace("{}", "(.+)"), score)
            if match:
                return place, match.groups()
        return len(self.scores), None


def _is_short_number(part: str) -> bool:
    return part.isdecimal() and len(part) < 10

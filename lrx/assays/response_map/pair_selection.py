"""Selection of the pairs of latents to map: the informative ones that move each other most.

R latents to choose from, D latents.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

from torch import Tensor

from lrx.responses.informative import criterion, informative_by_self_response


def choose_pairs(
    latents: str | list[int], rows: list[int], matrix_RD: Tensor, max_pairs: int
) -> tuple[list[tuple[int, int]], int, set[int]]:
    """Return the pairs to map, the number of pairs to choose from, and the informative latents among the rows.

    latents: a pair; `auto`, the informative pair with the largest M_jk + M_kj; or `all`, the informative pairs in that
    order, at most `max_pairs`. With fewer than two informative latents, the two that respond most to themselves.
    rows, matrix_RD: R latents, and their rows of the response matrix (R, D) on the scale `none`; all D where pairs
    are chosen.
    """
    own_R = matrix_RD[range(len(rows)), rows]
    informative = {
        row for row, is_one in zip(rows, informative_by_self_response(own_R).tolist(), strict=True) if is_one
    }
    if isinstance(latents, list):
        return [(latents[0], latents[1])], 1, informative
    mutual = (matrix_RD + matrix_RD.T).tolist()
    best = sorted(rows, key=lambda row: -float(matrix_RD[row, row]))[:2]
    candidates = sorted(informative if len(informative) >= 2 else best)
    pairs = sorted(itertools.combinations(candidates, 2), key=lambda pair: -mutual[pair[0]][pair[1]])
    return pairs[: 1 if latents == "auto" else max_pairs], len(pairs), informative


def remark_on_pairs(mapped: Sequence[int], informative: Collection[int]) -> str | None:
    """Return the remark for maps of these latents where some are not informative; None where all are."""
    others = [str(latent) for latent in mapped if latent not in informative]
    if not others:
        return None
    subject = f"latent {others[0]} is" if len(others) == 1 else f"latents {', '.join(others)} are"
    return f"{subject} not informative, that is {criterion()}: the map shows little of the manifold"

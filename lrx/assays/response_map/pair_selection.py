"""Which pairs of latents are worth a plane: the informative ones that move each other most.

R latents to choose from, D latents.
"""

from __future__ import annotations

import itertools

from torch import Tensor

from lrx.responses.responsive import INFORMATIVE, rule


def choose_pairs(
    latents: str | list[int], rows: list[int], response_RD: Tensor, max_pairs: int
) -> tuple[list[tuple[int, int]], int, set[int]]:
    """The pairs to map, how many there were to choose from, and the informative latents among the rows.

    latents: a pair; `auto`, the informative pair with the largest M_jk + M_kj; or `all`, the informative pairs in that
    order, at most `max_pairs`. With fewer than two informative latents, the two that respond most to themselves.
    rows, response_RD: R latents, and their rows of the response matrix (R, D) on the scale `none`; all D where pairs
    are chosen.
    """
    informative = {row for place, row in enumerate(rows) if response_RD[place, row] > INFORMATIVE}
    if isinstance(latents, list):
        return [(latents[0], latents[1])], 1, informative
    mutual = (response_RD + response_RD.T).tolist()
    # without two informative latents: the two that respond most to themselves
    best = sorted(rows, key=lambda row: -float(response_RD[row, row]))[:2]
    among = sorted(informative if len(informative) >= 2 else best)
    pairs = sorted(itertools.combinations(among, 2), key=lambda pair: -mutual[pair[0]][pair[1]])
    return pairs[: 1 if latents == "auto" else max_pairs], len(pairs), informative


def remark_on_pairs(mapped: list[int], informative: set[int]) -> str | None:
    """What a reader must know of maps of these latents where some are not among the informative; else None."""
    silent = [str(latent) for latent in mapped if latent not in informative]
    if not silent:
        return None
    named = f"latent {silent[0]} is" if len(silent) == 1 else f"latents {', '.join(silent)} are"
    return f"{named} not informative, that is {rule()}: the map shows little of the manifold"

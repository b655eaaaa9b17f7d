"""Scale of a stored response matrix, which its description names: `half`, or `none` in results of version 0.1.0.

Latents are informative by their responses on the scale `none`; a picture names that threshold on the scale it draws.
"""

from __future__ import annotations

import math
import re

from lrx.core.types import Array

NONE = "none"
READ_BACK = re.compile(r"M_uu / step_u > ([\d.]+)")
CRITERION = re.compile(r"M_jj > ([\d.]+) on the scale none")  # of lrx.responses.informative


def scale_of(array: Array) -> str:
    """Return the scale that ends the description of a stored matrix or its diagonal; `half` where none is named.

    Version 0.1.0 stored the matrix of `latent_graph` and the self-responses of `traversal` on the scale `none`.
    """
    word = array.description.rpartition(" ")[2]
    return word if word in ("half", NONE, "std") else "half"


def identity_response(scale: str) -> float:
    """Return the response of each latent of an identity autoencoder to itself on a scale."""
    return math.sqrt(2) if scale == NONE else 1.0


def criterion_on(scale: str, rule: str) -> str:
    """Return the rule of informative latents on the scale of a picture; other rules, and on `std`, as they are.

    >>> criterion_on("half", "M_jj > 0.5 on the scale none"), criterion_on("none", "M_jj > 0.5 on the scale none")
    ('self-response > 0.354', 'self-response > 0.5')
    """
    share = READ_BACK.fullmatch(rule)
    if share is not None:
        return f"read back: over {share[1]} of the step"
    threshold = CRITERION.fullmatch(rule)
    if threshold is None or scale not in ("half", NONE):
        return rule
    return f"self-response > {float(threshold[1]) * identity_response(scale) / identity_response(NONE):.3g}"

"""Scale of a stored response matrix, which its description names: `half`, or `none` in results of version 0.1.0."""

from __future__ import annotations

import math

from lrx.core.types import Array

NONE = "none"


def scale_of(array: Array) -> str:
    """Return the scale that ends the description of a stored matrix or its diagonal; `half` where none is named.

    Version 0.1.0 stored the matrix of `latent_graph` and the self-responses of `traversal` on the scale `none`.
    """
    word = array.description.rpartition(" ")[2]
    return word if word in ("half", NONE, "std") else "half"


def identity_response(scale: str) -> float:
    """Return the response of each latent of an identity autoencoder to itself on a scale."""
    return math.sqrt(2) if scale == NONE else 1.0

"""Reason why a model gives NaN or infinities."""

from __future__ import annotations

import torch
from torch import nn

from lrx.core.text import join_names


def why_not_finite(autoencoder: object) -> str:
    """Return which weights of a model are NaN or infinite; where all are finite, that the numbers come from within."""
    tensors = autoencoder.state_dict() if isinstance(autoencoder, nn.Module) else {}
    broken = [name for name, value in tensors.items() if not torch.isfinite(value).all()]
    if broken:
        return f"its weights hold NaN or infinities ({join_names(broken)})"
    return "its weights are finite, so they arise within it: a value overflows, or is the log or root of a negative one"

"""Spurious correlation: a data set in which two factors go together, over a grid in which they need not.

An image with classes a of A values and b of B values is kept with the probability

    exp(-(a / (A - 1) - b / (B - 1))^2 / (2 width^2)),

a Gaussian band around the diagonal of the two factors. Training and evaluation draw from the kept images; assays that
intervene on factors still reach the whole grid. After the correlated factors of Leeb et al. 2022, section 5, and
Träuble et al. 2021 (arXiv 2006.07886), section 3.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

import torch

from lrx.data.grid import GridDataset

KEYS = {"factors", "width"}
OFF = "none"


def correlated(dataset: GridDataset, correlation: Mapping[str, object] | str | None) -> GridDataset:
    """The same grid with a `sample`: indices int64 (M,) of the images kept, the same for the same correlation.

    correlation: {"factors": two names, "width": of the band, a share of the factors' range}; None or "none" changes
    nothing. ValueError for anything else.
    """
    if correlation is None or correlation == OFF:
        return dataset
    if not isinstance(correlation, Mapping) or set(correlation) != KEYS:
        raise ValueError(
            f"dataset.correlation must be none or {{factors:[scale,shape],width:0.2}}, not {correlation!r}"
        )
    names, width = correlation["factors"], correlation["width"]
    if isinstance(names, str) or not isinstance(names, Sequence) or len(names) != 2 or names[0] == names[1]:
        raise ValueError(f"dataset.correlation.factors must be two names, not {names!r}")
    if isinstance(width, bool) or not isinstance(width, int | float) or not 0 < width < math.inf:
        raise ValueError(f"dataset.correlation.width must be a positive number, not {width!r}")
    factors = dataset.factors
    pair = [factors.position(str(name)) for name in names]
    constant = [factors.names[factor] for factor in pair if factors.sizes[factor] == 1]
    if constant:
        raise ValueError(f"dataset.correlation.factors: {constant[0]} has one value and correlates with nothing")

    classes_NF = factors.classes(torch.arange(len(dataset)))
    first_N, second_N = (classes_NF[:, factor].double() / (factors.sizes[factor] - 1) for factor in pair)
    probability_N = torch.exp(-(first_N - second_N).square() / (2 * width**2))
    chance_N = torch.rand(len(dataset), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sample = (chance_N < probability_N).nonzero()[:, 0]
    for factor in pair:
        absent = sorted(set(range(factors.sizes[factor])) - set(classes_NF[sample, factor].tolist()))
        if absent:
            raise ValueError(
                f"dataset.correlation.width={width:g} leaves no {factors.names[factor]} {absent[0]}; widen it"
            )
    told = f"{names[0]} and {names[1]} correlated, width {width:g}"
    return GridDataset(
        name=dataset.name,
        source=f"{dataset.source}, {told}",
        fingerprint=hashlib.sha256(f"{dataset.fingerprint}, {told}".encode()).hexdigest(),
        factors=factors,
        pixels=dataset.pixels,
        sample=sample,
    )

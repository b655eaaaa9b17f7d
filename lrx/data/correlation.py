"""Spurious correlation: two factors or labels that go together in what is drawn, though they need not.

An image with classes a of A values and b of B values is drawn with the probability

    exp(-(a / (A - 1) - b / (B - 1))^2 / (2 width^2)),

a Gaussian band around the diagonal of the two factors. Training and evaluation draw from these images; assays that
intervene on factors still reach the whole grid. After the correlated factors of Leeb et al. 2022, section 5, and
Träuble et al. 2021 (arXiv 2006.07886), section 3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch

from lrx.core.known_classes import KnownClasses, find_classes
from lrx.core.types import Dataset, FactorDataset
from lrx.core.validation import SettingError
from lrx.data.subset import digest, sample_of, with_sample

KEYS = {"factors", "width"}
OFF = "none"

D = TypeVar("D", bound=Dataset)


def with_correlation(dataset: D, correlation: Mapping[str, object] | str | None) -> D:
    """Return the same data set with a `sample`: indices int64 (M,) in a fixed draw, the same for the same correlation.

    correlation: {"factors": names of two factors, or of two labels of a data set that is no grid, "width": of the band
    as a share of the range of classes}; None or "none" changes nothing. SettingError for anything else, for a data set
    without factors and labels, and where a class would disappear.
    """
    if correlation is None or correlation == OFF:
        return dataset
    if not isinstance(correlation, Mapping) or set(correlation) != KEYS:
        raise SettingError(f"correlation must be none or {{factors:[scale,shape],width:0.2}}, not {correlation!r}")
    names, width = correlation["factors"], correlation["width"]
    if isinstance(names, str) or not isinstance(names, Sequence) or len(names) != 2 or names[0] == names[1]:
        raise SettingError(f"correlation.factors must be two names, not {names!r}")
    if isinstance(width, bool) or not isinstance(width, int | float) or not 0 < width < math.inf:
        raise SettingError(f"correlation.width must be a positive number, not {width!r}")
    known = find_classes(dataset)
    if known is None:
        raise SettingError(f"correlation needs known factors of variation or labels, and {dataset.name} has neither")
    is_grid = isinstance(dataset, FactorDataset)
    pair = [_position(known, str(name), "factor" if is_grid else "label") for name in names]

    sample, size = sample_of(dataset), len(dataset)
    indices_M = torch.arange(size) if sample is None else sample
    classes_M2 = known.classes(indices_M)[:, pair]
    first_M, second_M = (classes_M2[:, place].double() / (known.sizes[pair[place]] - 1) for place in (0, 1))
    probability_M = torch.exp(-(first_M - second_M).square() / (2 * width**2))
    chance_N = torch.rand(size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    is_drawn_M = chance_N[indices_M] < probability_M
    for place, name in enumerate(names):
        classes_M = classes_M2[:, place]
        absent = sorted(set(classes_M.tolist()) - set(classes_M[is_drawn_M].tolist()))
        if absent:
            raise SettingError(f"correlation.width={width:g} leaves no {name} {absent[0]}; widen it")
    description = f"{names[0]} and {names[1]} correlated, width {width:g}"
    drawn = indices_M[is_drawn_M]
    # classes of a grid follow from its images; labels may change while the images stay
    identity = description if is_grid else f"{description}, {digest(drawn)}"
    return with_sample(dataset, drawn, description=description, identity=identity)


def _position(known: KnownClasses, name: str, kind: str) -> int:
    """Return the position of a factor or label of more than one class by its name."""
    if name not in known.names:
        raise SettingError(f"correlation.factors: no {kind} {name!r}; the {kind}s are {', '.join(known.names)}")
    position = known.names.index(name)
    if known.sizes[position] == 1:
        raise SettingError(f"correlation.factors: {name} has one value and correlates with nothing")
    return position

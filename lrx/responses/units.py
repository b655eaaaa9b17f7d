"""Units: sets of elements of a code that are set together, and whose responses are pooled.

Units divide the D elements of a code: each element is in one. A code of a vector has the units `element`, or lists of
latents; one of the shape (C, h, w) also `channel`, `place` (all channels at one place), `site` (one channel at one
place) and `patch:k` (all channels at k x k places). D elements, U units.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.core.flat_codes import AXES
from lrx.core.types import Array
from lrx.core.validation import SettingError, is_whole

OF_MAPS = ("channel", "place", "site", "patch:k")
MEANING = "latents set together: element | channel | place | site | patch:3 | lists such as [[0,1],[2,3]]; null: "
MEANING += "element, or channel of codes (channel, y, x)"


@dataclass(frozen=True, eq=False)
class Units:
    """Division of the elements of a code into units.

    kind: as the setting has it, or `lists`. unit_D: int64 (D,), the unit of each element. labels: of the U units:
    numbers, or texts such as `y 0 x 3`. positions: by axis of the code, the first index (U,) of each unit along it.
    """

    kind: str
    unit_D: Tensor
    labels: np.ndarray
    positions: dict[str, np.ndarray]

    def __len__(self) -> int:
        """Return the number of units, U."""
        return len(self.labels)

    @functools.cached_property
    def are_elements(self) -> bool:
        """True where each element is a unit, in order: lists such as [[1],[0]] have another one."""
        return torch.equal(self.unit_D, torch.arange(len(self.unit_D)))

    def is_same(self, other: Units) -> bool:
        """Return whether another division has the same units in the same order."""
        return torch.equal(self.unit_D, other.unit_D)

    @functools.cached_property
    def sizes_U(self) -> Tensor:
        """Number of elements of each unit, int64 (U,)."""
        return torch.bincount(self.unit_D, minlength=len(self))

    @functools.cached_property
    def members(self) -> tuple[Tensor, ...]:
        """Elements of each unit, int64, ascending."""
        order = torch.argsort(self.unit_D, stable=True)
        return torch.split(order, self.sizes_U.tolist())

    @functools.cached_property
    def rank_D(self) -> Tensor:
        """Place of each element among those of its unit, int64 (D,)."""
        rank_D = torch.empty_like(self.unit_D)
        for members in self.members:
            rank_D[members] = torch.arange(len(members))
        return rank_D

    def pooled(self, values_xD: Tensor) -> Tensor:
        """Return means over the elements of each unit, (..., U), of values (..., D) on the CPU."""
        if self.are_elements:
            return values_xD
        sums = torch.zeros(*values_xD.shape[:-1], len(self), dtype=values_xD.dtype)
        return sums.index_add_(-1, self.unit_D, values_xD) / self.sizes_U

    def arrays(self) -> dict[str, Array]:
        """Return the arrays of a result that say where units lie: `unit_channel`, `unit_y`, `unit_x` (U,), as far as
        the units have them; `unit_size` (U,) where units have several elements."""
        arrays = {
            f"unit_{axis}": Array(index_U, ("intervened",), "1", f"first index of each unit along {axis}")
            for axis, index_U in self.positions.items()
        }
        if not self.are_elements:
            arrays["unit_size"] = Array(self.sizes_U.numpy(), ("intervened",), "1", "elements of each unit")
        return arrays


def elements(latents: int) -> Units:
    """Return the units of a vector whose elements are each set alone."""
    return Units("element", torch.arange(latents), np.arange(latents), {})


def units_of(latent_shape: tuple[int, ...], chosen: str | Sequence[Sequence[int]] | None) -> Units:
    """Return the units that the setting `units` names, of codes of this shape, (D,) or (C, h, w).

    None: elements of a vector, channels of a map. SettingError for units that codes of this shape do not have.
    """
    is_map = len(latent_shape) > 1
    if chosen is None:
        chosen = "channel" if is_map else "element"
    if not isinstance(chosen, str):
        return _lists(latent_shape, chosen)
    if chosen == "element" and not is_map:
        return elements(latent_shape[0])
    patch = re.fullmatch(r"patch:([1-9]\d*)", chosen)
    if chosen not in ("element", *OF_MAPS[:-1]) and not patch:
        raise SettingError(f"units must be element, {', '.join(OF_MAPS)} or lists of latents, not {chosen!r}")
    if not is_map:
        raise SettingError(
            f"units={chosen} needs codes (channel, y, x), and those of this model are vectors of {latent_shape[0]}; "
            "give element, or lists of latents such as [[0,1],[2,3]]"
        )
    side = int(patch[1]) if patch else 1
    by_channel = chosen in ("element", "site", "channel")
    by_place = chosen != "channel"
    return _of_map(latent_shape, chosen, by_channel=by_channel, side=side if by_place else None)


def _of_map(shape: tuple[int, ...], kind: str, *, by_channel: bool, side: int | None) -> Units:
    """Units of a map: divided by channel, and into patches of this side; None: not divided by place."""
    axes = [torch.arange(size) for size in shape]
    step = side or max(shape[1:])
    parts = [axes[0] if by_channel else torch.zeros_like(axes[0]), axes[1] // step, axes[2] // step]
    counts = [int(part.max()) + 1 for part in parts]
    grid = torch.meshgrid(*parts, indexing="ij")
    unit_D = ((grid[0] * counts[1] + grid[1]) * counts[2] + grid[2]).flatten()
    number_U = np.arange(counts[0] * counts[1] * counts[2])
    firsts = dict(zip(AXES, np.unravel_index(number_U, counts), strict=True))
    positions = {"channel": firsts["channel"]} if by_channel else {}
    if side is not None:
        positions |= {axis: firsts[axis] * step for axis in AXES[1:]}
    labels = [" ".join(f"{axis} {index[unit]}" for axis, index in positions.items()) for unit in number_U]
    return Units(kind, unit_D, number_U if list(positions) == ["channel"] else np.array(labels), positions)


def _lists(shape: tuple[int, ...], lists: Sequence[Sequence[int]]) -> Units:
    """Units of lists of latents; each latent that none names is a unit of its own, after them."""
    if len(shape) > 1:
        raise SettingError(f"units={lists} names latents of a vector; codes {shape} take {', '.join(OF_MAPS)}")
    latents = shape[0]
    named = [latent for members in lists for latent in members]
    if not named or any(not members for members in lists):
        raise SettingError(f"units must be lists of latents such as [[0,1],[2,3]], none of them empty, not {lists}")
    wrong = [latent for latent in named if not is_whole(latent, 0) or latent >= latents]
    if wrong:
        raise SettingError(f"units must name latents of 0 to {latents - 1}, not {wrong[0]}")
    twice = sorted({latent for latent in named if named.count(latent) > 1})
    if twice:
        raise SettingError(
            f"units must name each latent once, and {twice[0]} is named twice; measure one after another"
        )
    groups = [*map(list, lists), *([latent] for latent in range(latents) if latent not in set(named))]
    unit_D = torch.empty(latents, dtype=torch.int64)
    for number, members in enumerate(groups):
        unit_D[torch.tensor(members)] = number
    return Units("lists", unit_D, np.array(["+".join(map(str, sorted(members))) for members in groups]), {})

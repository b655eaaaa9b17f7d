"""Key names of other people's state dicts, turned into those of a network of lrx by a table that a yaml holds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lrx.core.text import join_names


class Layout:
    """How a state dict is renamed.

    rename: regular expressions and their replacements; the first that matches the beginning of a key is applied.
    join: the key of a tensor, and the keys (after renaming) of those that make it, one after another along the first
        axis: two heads of an encoder become one.
    """

    def __init__(self, *, rename: Mapping[str, str], join: Mapping[str, Sequence[str]]) -> None:
        self._rename = [(re.compile(pattern), replacement) for pattern, replacement in rename.items()]
        self._join = join

    def __call__(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The same tensors, renamed. ValueError when two would have one name, or the parts of a join do not fit."""
        renamed: dict[str, Tensor] = {}
        for key, value in weights.items():
            new = self._renamed(key)
            if new in renamed:
                raise ValueError(f"these weights do not have this layout: two of their tensors become {new}")
            renamed[new] = value
        for whole, parts in self._join.items():
            lacking = [part for part in parts if part not in renamed]
            if lacking:
                raise ValueError(
                    f"these weights do not have this layout: {whole} is made of {join_names(parts)}, "
                    f"and {join_names(lacking)} is not there"
                )
            try:
                renamed[whole] = torch.cat([renamed.pop(part) for part in parts])
            except RuntimeError as error:
                raise ValueError(f"these weights do not have this layout: {', '.join(parts)} do not join") from error
        return renamed

    def _renamed(self, key: str) -> str:
        for pattern, replacement in self._rename:
            if pattern.match(key):
                return pattern.sub(replacement, key, count=1)
        return key

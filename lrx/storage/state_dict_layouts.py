"""Layouts: tables in yaml that rename the keys of published state dicts to those of a network of lrx."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lrx.core.text import join_names


class Layout:
    """Table of renamed and joined keys.

    rename: regular expressions and their replacements; the first that matches the beginning of a key is applied.
    join: by key, the keys (after renaming) of the tensors to concatenate along the first axis: two heads of an encoder
        become one.
    """

    def __init__(self, *, rename: Mapping[str, str], join: Mapping[str, Sequence[str]]) -> None:
        self._rename = [(re.compile(pattern), replacement) for pattern, replacement in rename.items()]
        self._join = join

    def __call__(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename and join tensors. ValueError when two would have one name, or the parts of a join do not fit."""
        renamed: dict[str, Tensor] = {}
        for key, value in weights.items():
            new = self._new_key(key)
            if new in renamed:
                raise ValueError(f"these weights do not have this layout: two of their tensors become {new}")
            renamed[new] = value
        for joint, parts in self._join.items():
            missing = [part for part in parts if part not in renamed]
            if missing:
                raise ValueError(
                    f"these weights do not have this layout: {joint} is made of {join_names(parts)}, "
                    f"and {join_names(missing)} is not there"
                )
            try:
                renamed[joint] = torch.cat([renamed.pop(part) for part in parts])
            except RuntimeError as error:
                raise ValueError(f"these weights do not have this layout: {', '.join(parts)} do not join") from error
        return renamed

    def _new_key(self, key: str) -> str:
        for pattern, replacement in self._rename:
            if pattern.match(key):
                return pattern.sub(replacement, key, count=1)
        return key

"""Layouts: tables in yaml that rename the keys of published state dicts to those of a network of lrx."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lrx.core.adapt import Scale
from lrx.core.text import join_names

# what DataParallel and torch.compile put into names, and Lightning modules of a person's own before them
WRAPPED = re.compile(r"^(model\.|module\.|_orig_mod\.)+|(?<=\.)((module|_orig_mod)\.)+")


class Layout:
    """Table of renamed and joined keys, and what a state dict does not say of the code that it comes from.

    rename: regular expressions and their replacements; the first that matches the beginning of a key is applied, after
        the names of wrappers and a prefix that all keys share are removed.
    join: by key, the keys (after renaming) of the tensors to concatenate along the first axis: two heads of an encoder
        become one.
    output: activation behind the decoder's last layer, `sigmoid`, `identity` or `tanh`; null: not known.
    input_mean, input_std: normalisation of the encoder's input; null: it reads pixels as they are.
    """

    def __init__(
        self,
        *,
        rename: Mapping[str, str],
        join: Mapping[str, Sequence[str]],
        output: str | None = None,
        input_mean: Scale | None = None,
        input_std: Scale | None = None,
    ) -> None:
        self._rename = [(re.compile(pattern), replacement) for pattern, replacement in rename.items()]
        self._join = join
        self.output, self.input_mean, self.input_std = output, input_mean, input_std

    def __call__(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename and join tensors. ValueError when two would have one name, or the parts of a join do not fit."""
        renamed: dict[str, Tensor] = {}
        for key, value in self._without_prefix(weights).items():
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

    def _without_prefix(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return tensors without what stands before the names that `rename` knows."""
        plain = {WRAPPED.sub("", key): value for key, value in weights.items()}
        if not self._rename or len(plain) < len(weights):
            return dict(weights)
        joined = {part for parts in self._join.values() for part in parts}
        while len({key.partition(".")[0] for key in plain}) == 1 and all("." in key for key in plain):
            if any(self._new_key(key) != key or key in joined for key in plain):
                break
            plain = {key.partition(".")[2]: value for key, value in plain.items()}
        return plain

    def _new_key(self, key: str) -> str:
        for pattern, replacement in self._rename:
            if pattern.match(key):
                return pattern.sub(replacement, key, count=1)
        return key

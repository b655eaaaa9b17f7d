"""Codes and known factors that were made anywhere, as a data set whose observations are the codes themselves.

With `GivenCodes`, the model that gives them back, they are measured as those of an encoder are. N points, D latents,
F factors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from lrx.core.checksum import sha256
from lrx.core.text import join_names
from lrx.data.torch_items import to_numpy


class GivenCodes(nn.Module):
    """Autoencoder whose observations are codes: encode and decode return what they are given."""

    def __init__(self, dtype: torch.dtype) -> None:
        """Take codes in this dtype."""
        super().__init__()
        self.register_buffer("codes_like", torch.zeros(1, dtype=dtype))

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes (B, D)."""
        return x

    def decode(self, z: Tensor) -> Tensor:
        """Return the codes (B, D)."""
        return z


class CodesDataset:
    """Data set of codes (N, D) with factors of any kind, as in lrx.core.types.Valued.

    A factor of integers, truth values or whole numbers is one of classes; any other is continuous.
    """

    def __init__(self, codes: object, factors: Mapping[str, object], *, name: str, source: str) -> None:
        """Take codes as an array or tensor, and the N values of each factor by its name.

        ValueError in one line for what is no array of finite numbers, other lengths, or no factor at all.
        """
        codes_ND = _finite(codes, "codes")
        if codes_ND.ndim != 2 or 0 in codes_ND.shape:
            raise ValueError(f"codes have shape {codes_ND.shape}; give one row a point, (points, latents)")
        if not factors:
            raise ValueError("factors are needed beside codes: one column a factor")
        columns = [_finite(column, f"factor {factor}") for factor, column in factors.items()]
        for factor, column_N in zip(factors, columns, strict=True):
            if column_N.shape != codes_ND.shape[:1]:
                raise ValueError(
                    f"factor {factor} has {len(column_N):,} values, and there are {len(codes_ND):,} codes; give one "
                    "row a point in both"
                )
        single = codes_ND.dtype in (np.float16, np.float32)
        self._codes_ND = np.ascontiguousarray(codes_ND, dtype=np.float32 if single else np.float64)
        self._values_NF = np.stack(columns, axis=1).astype(np.float64)
        self.name = name
        self.value_names = tuple(factors)
        self.is_continuous = tuple(bool((column_N != np.rint(column_N)).any()) for column_N in self._values_NF.T)
        values = [factor for factor, continuous in zip(factors, self.is_continuous, strict=True) if continuous]
        self.source = f"{source}; continuous factors: {join_names(values)}" if values else source
        content = self._codes_ND.tobytes() + self._values_NF.tobytes() + "\n".join(self.value_names).encode()
        self.fingerprint = sha256(content)
        self.observation_shape: tuple[int, ...] = (codes_ND.shape[1],)

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self._codes_ND)

    def raw(self, indices: Tensor) -> Tensor:
        """Return codes float32 or float64 (B, D) at indices int64 (B,)."""
        return torch.from_numpy(self._codes_ND[indices.cpu().numpy()])

    def factor_values(self, indices: Tensor) -> Tensor:
        """Return values float64 (B, F) at indices int64 (B,)."""
        return torch.from_numpy(self._values_NF[indices.cpu().numpy()])

    def model(self) -> GivenCodes:
        """Return the model that gives these codes, in their dtype."""
        return GivenCodes(torch.from_numpy(self._codes_ND[:0]).dtype)


def named_columns(factors: object, names: Sequence[str] | None) -> dict[str, np.ndarray]:
    """Return the columns of factors (N, F) or (N,) by name; names: None for factor_1, factor_2, ...

    ValueError for other shapes, or names that are not one a column, each once.
    """
    factors_NF = _as_array(factors, "factors")
    if factors_NF.ndim not in (1, 2) or 0 in factors_NF.shape:
        raise ValueError(f"factors have shape {factors_NF.shape}; give one row a point, (points, factors)")
    factors_NF = factors_NF.reshape(len(factors_NF), -1)
    count = factors_NF.shape[1]
    if names is None:
        names = [f"factor_{factor + 1}" for factor in range(count)]
    elif isinstance(names, str) or len(names) != count or len({*map(str, names)}) != count:
        raise ValueError(f"factor_names must be {count} different names, one a column of factors, not {list(names)}")
    return {str(name): column_N for name, column_N in zip(names, factors_NF.T, strict=True)}


def _as_array(values: object, name: str) -> np.ndarray:
    array = np.asarray(values) if isinstance(values, list | tuple) else to_numpy(values)
    if array is None:
        raise ValueError(f"{name} must be a numpy array, a tensor or a list of numbers, not a {type(values).__name__}")
    return array


def _finite(values: object, name: str) -> np.ndarray:
    """Return an array of finite numbers; truth values become 0 and 1. ValueError names the first that is none."""
    array = _as_array(values, name)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds {_kind(array)}, and numbers are needed; number the values of text")
    array = array.astype(np.uint8) if array.dtype.kind == "b" else array
    if not np.isfinite(array).all():
        row = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(f"{name} has the value {array[tuple(row)]} in row {row[0]}; leave out such rows")
    return array


def _kind(array: np.ndarray) -> str:
    return {"U": "text", "S": "text", "O": "objects", "c": "complex numbers"}.get(array.dtype.kind, str(array.dtype))

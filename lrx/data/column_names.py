"""Names of the columns of vectors, such as genes or sensors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lrx.core.validation import SettingError
from lrx.data.store.text_array import read_texts


def read_column_names(path: Path, names: str | Sequence[str] | None, *, shape: Sequence[int]) -> tuple[str, ...]:
    """Return the names of the P columns of vectors of this shape (N, P); () where none are given.

    names: a list of them, or the name of an array of P texts in the same npz or HDF5 file.
    SettingError for names of images, another number of them, or two that are the same.
    """
    if names is None:
        return ()
    if len(shape) != 2:
        raise SettingError("names are of the columns of vectors (N, P); images have none")
    given = _stored(path, names) if isinstance(names, str) else tuple(names)
    if not all(isinstance(name, str) and name for name in given):
        raise SettingError(f"names must be texts that are not empty, not {given[0]!r}, ...")
    if len(given) != shape[1]:
        raise SettingError(f"names has {len(given)} texts, and the vectors have {shape[1]} columns")
    twice = next((name for name in given if given.count(name) > 1), None) if len({*given}) < len(given) else None
    if twice is not None:
        raise SettingError(f"names has {twice!r} twice; each column needs a name of its own")
    return given


def _stored(path: Path, key: str) -> tuple[str, ...]:
    texts = read_texts(path, key)
    if texts is None:
        raise SettingError(f"names={key} is no array of {path}; give one of its arrays, or a list such as [CD4,CD8A]")
    return tuple(texts)

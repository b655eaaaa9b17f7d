"""Tensors of zip files of torch.save whose pickle names other classes, such as checkpoints of PyTorch Lightning.

Nothing that a file names is imported or called: plain containers and dense tensors are made here, everything else
becomes a `Placeholder`. torch's `weights_only` refuses such a file as a whole, and cannot read subclasses of dict, in
which hyperparameters are kept.
"""

from __future__ import annotations

import collections
import functools
import pickle
import zipfile
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import IO, BinaryIO, cast

import torch
from torch import Tensor

STORAGES = {  # names of torch's classes of storages
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class Placeholder:
    """Stand-in for an object of a class that is not imported; it accepts whatever a pickle puts into it.

    name: dotted name of the class or function, of which a file has a subclass. state: what the pickle set.
    """

    name = ""
    state: object = None

    def __new__(cls, *arguments: object, **keywords: object) -> Placeholder:
        """Return an instance, also where a pickle takes an instance for a class, such as a class within a class."""
        return object.__new__(cls if isinstance(cls, type) else type(cls))

    def __init__(self, *arguments: object, **keywords: object) -> None: ...

    def __call__(self, *arguments: object, **keywords: object) -> Placeholder:
        """Return a Placeholder for the result of a call."""
        return type(self)()

    def __setstate__(self, state: object) -> None:
        self.state = state

    def __setitem__(self, key: object, value: object) -> None: ...

    def append(self, value: object) -> None:
        """Drop an item."""

    extend = add = append


def read_with_placeholders(file: BinaryIO) -> object:
    """Read a zip file of torch.save; raises an error of `lrx.storage.tensors.UNREADABLE` for other files."""
    with zipfile.ZipFile(file) as archive:
        names = set(archive.namelist())
        (pickled,) = [name for name in names if PurePosixPath(name).name == "data.pkl"]
        folder = PurePosixPath(pickled).parent
        order = f"{folder / 'byteorder'}"
        if order in names and archive.read(order) != b"little":
            raise ValueError("it was written on a big-endian machine")
        with archive.open(pickled) as stream:
            return _Unpickler(stream, lambda key: archive.read(f"{folder / 'data' / key}")).load()


class _Unpickler(pickle._Unpickler):  # in python: that in C reserves as much memory as a file asks for
    def __init__(self, stream: IO[bytes], read: Callable[[str], bytes]) -> None:
        super().__init__(stream)
        self._numbers = functools.cache(lambda key, dtype: _numbers(read(key), dtype))  # tensors may share a storage

    def find_class(self, module: str, name: str) -> object:
        """Return a container, a function of this file, or a new Placeholder; nothing is imported."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch" and name in STORAGES:
            return name
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return functools.partial(_tensor)  # a new object: a pickle may set attributes of what it is given
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return functools.partial(_parameter)
        return type("Placeholder", (Placeholder,), {"name": f"{module}.{name}"})

    def persistent_load(self, pid: object) -> object:
        """Return the numbers of a storage, one after the other; a Placeholder for storages of another kind."""
        _, kind, key, *_ = cast(tuple[str, str, str], pid)
        return self._numbers(key, STORAGES[kind]) if kind in STORAGES else Placeholder()


def _numbers(content: bytes, dtype: torch.dtype) -> Tensor:
    return torch.frombuffer(bytearray(content), dtype=dtype) if content else torch.empty(0, dtype=dtype)


def _tensor(numbers: object, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *others: object) -> object:
    """Return a tensor over numbers; others: whether it has a gradient, hooks, and what else its view does to them."""
    view = others[2] if len(others) > 2 else {}
    if not isinstance(numbers, Tensor) or view not in ({}, {"neg": True}):
        return Placeholder()
    tensor = torch.as_strided(numbers, shape, stride, offset)
    return -tensor if view else tensor  # the imaginary part of a conjugate is stored so


def _parameter(tensor: object, *_: object) -> object:
    return tensor

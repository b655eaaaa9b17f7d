"""Files of torch.save, read without running foreign code (`weights_only=True`) and with their checksums compared."""

from __future__ import annotations

import pickle
import struct
import warnings
import zipfile
from typing import BinaryIO

import torch

# What torch.load raises for files that are cut, foreign or hostile.
UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    OSError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    struct.error,
    zipfile.BadZipFile,
)


def read_tensors(file: BinaryIO) -> object:
    """What a file of torch.save holds, on the CPU, without running code of its own; UNREADABLE for other files.

    Checksums are compared first, for torch takes flipped bits for weights. torch compresses nothing, so that what
    comes compressed is not its own, and may be much larger than its file.
    """
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError("a part of it is compressed")
            damaged = archive.testzip()
            if damaged is not None:
                raise ValueError(f"{damaged} has another checksum")
    file.seek(0)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # of foreign files, which are refused
        return torch.load(file, map_location="cpu", weights_only=True)

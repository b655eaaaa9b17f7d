"""Files of torch.save, read without running foreign code (`weights_only=True`), their checksums compared."""

from __future__ import annotations

import pickle
import struct
import warnings
import zipfile
from typing import BinaryIO

import torch

# Errors that torch.load raises for files that are truncated, foreign or hostile.
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
    """Read a file of torch.save to the CPU, without running its code; raises one of UNREADABLE for other files.

    Checksums are compared first, because torch reads flipped bits as weights. torch never compresses, so a compressed
    entry is not its own, and may be much larger than its file.
    """
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError("a part of it is compressed")
            damaged = archive.testzip()
            if damaged is not None:
                raise ValueError(f"{damaged} has another checksum")
    file.seek(0)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # about foreign files, which are refused
        return torch.load(file, map_location="cpu", weights_only=True)

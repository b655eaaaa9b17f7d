"""Folders of sparse autoencoders that SAELens and dictionary_learning wrote, from tests/data/foreign/sparse.npz."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

FILE = Path(__file__).parents[1] / "data" / "foreign" / "sparse.npz"
GIVEN = ("x", "codes", "decoded")
with np.load(FILE) as _content:
    NAMES = sorted({name.partition("/")[0] for name in _content})


def unpacked(name: str, folder: Path) -> dict[str, torch.Tensor]:
    """Write a folder; return the vectors `x`, and the package's `codes` and `decoded` of them."""
    folder.mkdir(exist_ok=True)
    given = {}
    with np.load(FILE) as content:
        for key in content:
            owner, _, file = key.partition("/")
            if owner == name and file in GIVEN:
                given[file] = torch.from_numpy(content[key])
            elif owner == name:
                (folder / file).write_bytes(content[key].tobytes())
    return given

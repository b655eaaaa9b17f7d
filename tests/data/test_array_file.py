"""Arrays in files that hold more than their numbers: several arrays, and what netCDF says of missing values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.data.test_arrays import COLOUR, opened


def test_npy_of_several_arrays_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "mine.npy").open("wb") as file:
        for part in (COLOUR[:4], COLOUR[4:]):  # numpy's load would give the first alone
            np.save(file, part)
    with pytest.raises(ValueError, match=r"holds 608 bytes after its first array, of shape \(4, 8, 10, 3\)"):
        opened(tmp_path / "mine.npy")

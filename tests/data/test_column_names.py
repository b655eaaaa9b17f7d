"""Names of the columns of vectors, from a list or an array of texts in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.run import run_assay
from lrx.assays.traversal.assay import Settings
from lrx.core.types import AssayResult
from lrx.data.arrays import arrays
from lrx.data.labelled import StoreDataset
from tests.support.models_for_tests import one_thread as one_thread
from tests.support.models_for_tests import values

GENES = ["CD4", "CD8A", "MS4A1"]


class Decoding(nn.Module):
    """decode(z) = z A, and encode its inverse."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix)

    def encode(self, x: Tensor) -> Tensor:
        return x @ torch.linalg.inv(self.matrix)

    def decode(self, z: Tensor) -> Tensor:
        return z @ self.matrix


def opened(folder: Path, names: Any, *, ending: str = "npz", stored: Any = GENES) -> StoreDataset:
    """Open 40 vectors of three columns, beside which a file has an array `genes`."""
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    path = folder / f"cells.{ending}"
    if ending == "npz":
        np.savez(path, images=x, genes=stored)
    else:
        with h5py.File(path, "w") as file:
            file["images"], file["genes"] = x, stored
    given = {"images": "images", "layout": "auto", "classes": None, "factor_names": None}
    return arrays(root=str(folder), path=str(path), names=names, **given)


@pytest.mark.parametrize("ending", ["npz", "h5"])
@pytest.mark.parametrize("names", ["genes", GENES])
def test_names_of_columns(tmp_path: Path, ending: str, names: Any) -> None:
    assert opened(tmp_path, names, ending=ending).column_names == tuple(GENES)


def test_traversal_says_which_columns_move(tmp_path: Path) -> None:
    A = torch.tensor([[0.5, 0.0, -2.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
    result = run_assay(
        Settings(latents="all"), Decoding(A), opened(tmp_path, "genes"), torch.Generator().manual_seed(0)
    )
    assert isinstance(result, AssayResult)
    assert result.coordinates["dimension"].tolist() == GENES
    walked = result.coordinates["latent"]
    assert np.allclose(values(result, "moved"), A.numpy()[walked], atol=1e-5)  # row j of z A
    assert values(result, "moved_se").max() < 1e-5


@pytest.mark.parametrize(
    ("names", "stored", "message"),
    [
        (["a", "b"], GENES, "names has 2 texts, and the vectors have 3 columns"),
        (["a", "b", "a"], GENES, "names has 'a' twice"),
        ("proteins", GENES, r"names=proteins is no array of .*cells.npz"),
        ("genes", [1, 2, 3], "genes must be an array of texts"),
        ("genes", [GENES], "genes must be an array of texts"),
    ],
)
def test_wrong_names_are_refused(tmp_path: Path, names: Any, stored: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        opened(tmp_path, names, stored=stored)


@pytest.mark.parametrize("ending", ["npz", "h5"])
@pytest.mark.parametrize("stored", [[[gene] for gene in GENES], "CD4", [1, 2, 3]])
def test_names_that_are_no_row_of_texts(tmp_path: Path, ending: str, stored: Any) -> None:
    with pytest.raises(ValueError, match="genes must be an array of texts, one a column"):
        opened(tmp_path, "genes", ending=ending, stored=stored)

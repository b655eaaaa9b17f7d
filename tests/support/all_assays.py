"""Result of each assay on a toy, measured once in a session."""

from __future__ import annotations

import functools

import torch

from lrx.assays import catalog
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult
from scripts.toy_assays import ToyMaps, small, sparse_toy, toy
from tests.cli.test_configs import model_from


@functools.cache
def toy_result(name: str) -> AssayResult:
    """Return the result of an assay: of vectors of three latents, or of the codes that it measures."""
    codes, dataset = catalog.descriptions()[name].codes, toy()
    torch.manual_seed(0)
    model = ToyMaps() if codes.places else model_from("model=vae", "network=mlp", "latent_dim=3", dataset=dataset)
    if codes.sparse:
        model, dataset = sparse_toy()  # type: ignore[assignment]
    result = run_assay(small(name), model, dataset, torch.Generator().manual_seed(0))
    assert isinstance(result, AssayResult)
    return result

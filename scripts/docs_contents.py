"""Arrays of each assay, from a run on a small data set: axes, units and descriptions."""

from __future__ import annotations

import functools

import torch
from docs_tables import code, table
from hydra import compose, initialize_config_module
from torch import nn
from toy_assays import ToyMaps, small, sparse_toy, toy

from lrx.assays import catalog
from lrx.assays.run import run_assay
from lrx.cli.build import build_model
from lrx.cli.config import Config
from lrx.core.types import AssayResult, Dataset


def contents(assay: str) -> str:
    """Return a table of the arrays of an assay."""
    arrays = measured(assay).arrays
    rows = [
        (code(name), ", ".join(array.axes), array.values.dtype.name, array.unit, array.description)
        for name, array in arrays.items()
    ]
    return table(("array", "axes", "type", "unit", "description"), rows)


@functools.cache
def measured(assay: str) -> AssayResult:
    """Return the result of an assay on an untrained VAE of three latents, `ToyMaps` or `sparse_toy`, and 64 images or
    vectors."""
    torch.manual_seed(0)
    dataset: Dataset = toy()
    with initialize_config_module("lrx.configs", version_base="1.3"):
        train = compose("train", ["model=vae", "network=mlp", "latent_dim=3"])
    needs_places = catalog.descriptions()[assay].codes.places
    model: nn.Module = ToyMaps() if needs_places else build_model(Config(train, {}), dataset)
    if catalog.descriptions()[assay].codes.sparse:
        model, dataset = sparse_toy()
    result = run_assay(small(assay), model, dataset, torch.Generator().manual_seed(0))
    assert isinstance(result, AssayResult), f"{assay} is several assays"
    return result

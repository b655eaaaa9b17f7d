"""Arrays of each assay, from a run on a small data set: axes, units and descriptions."""

from __future__ import annotations

import functools
from typing import cast

import numpy as np
import torch
from docs_tables import code, table
from hydra import compose, initialize_config_module

from lrx.assays.run import run_assay
from lrx.cli.build import build_model
from lrx.cli.config import Config
from lrx.core.factors import FactorSpace
from lrx.core.settings import Checked
from lrx.core.types import AssayResult
from lrx.data.grid import GridDataset

SMALL = {  # settings that only cost time
    "num_samples": 32,
    "num_points": 8,
    "num_images": 16,
    "num_groups": 4,
    "num_bootstrap": 4,
    "num_replicates": 4,
    "num_pairs": 2,
    "num_nodes": 8,
    "probe_steps": 2,
    "resolution": 8,
    "decoded": 2,
    "repeats": 2,
    "num_test": 16,
    "shown": 1,
    "steps": 3,
}
OWN = {"metrics": ["preset=fast"], "factor_inference": ["labels=[20]"]}


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
    """Return the result of an assay on an untrained VAE of three latents and a grid of 64 small images."""
    torch.manual_seed(0)
    shape = (1, 8, 8)
    factors = FactorSpace(names=("row", "column", "shade"), sizes=(4, 4, 4))
    classes = factors.classes(torch.arange(factors.num_points)).numpy()
    images = np.zeros((len(classes), *shape), dtype=np.uint8)
    for image, (row, column, shade) in zip(images, classes, strict=True):
        image[0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = 60 * (shade + 1)
    dataset = GridDataset(name="toy", source="made", fingerprint="toy", factors=factors, pixels=images)
    with initialize_config_module("lrx.configs", version_base="1.3"):
        train = compose("train", ["model=vae", "network=mlp", "latent_dim=3"])
        node = compose("assay", [f"assay={assay}", "ckpt=none"])
        smaller = [f"assay.{key}={value}" for key, value in SMALL.items() if key in node.assay]
        own = [f"assay.{word}" for word in OWN.get(assay, [])]
        keep = ["assay.cache=null"] if "cache" in node.assay else []
        node = compose("assay", [f"assay={assay}", "ckpt=none", *smaller, *own, *keep])
    model = build_model(Config(train, {}), dataset)
    settings = cast(Checked, Config(node, {"assay": assay}).build("assay"))
    result = run_assay(settings, model, dataset, torch.Generator().manual_seed(0))
    assert isinstance(result, AssayResult), f"{assay} is several assays"
    return result

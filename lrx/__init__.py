"""lrx: a laboratory for the latent spaces of autoencoders, on the command line and in python.

    run = lrx.load("outputs/train/demo")                                # .model .dataset .config
    result = lrx.assay("response_matrix", run, num_samples=512)         # or lrx.assay(name, model, images)
    result.matrix, result.se("matrix"), result.scores; result.plot(); result.to_xarray(); result.save("r.h5")
    lrx.metrics(codes, factors)                                         # codes of any origin, without a model
    lrx.explore(run)                                                    # a page with sliders of the latents

Names are resolved when they are first used, so that `import lrx` takes no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what an editor completes
    from lrx.assays.interface import assay, list_assays
    from lrx.assays.interface import settings_class as settings
    from lrx.assays.result import Result, read_results
    from lrx.cli.load import Run, load
    from lrx.core.adapt import adapt
    from lrx.core.types import Autoencoder, Dataset, FactorDataset, Labelled, Probabilistic
    from lrx.data.in_memory import as_dataset
    from lrx.responses.latent_response import intervene, respond

__version__ = "0.2.0"

_HOMES = {
    "Autoencoder": "lrx.core.types",
    "Dataset": "lrx.core.types",
    "FactorDataset": "lrx.core.types",
    "Labelled": "lrx.core.types",
    "Probabilistic": "lrx.core.types",
    "Result": "lrx.assays.result",
    "Run": "lrx.cli.load",
    "adapt": "lrx.core.adapt",
    "as_dataset": "lrx.data.in_memory",
    "assay": "lrx.assays.interface",
    "explore": "lrx.explore",
    "intervene": "lrx.responses.latent_response",
    "list_assays": "lrx.assays.interface",
    "load": "lrx.cli.load",
    "metrics": "lrx.metrics",
    "read_results": "lrx.assays.result",
    "respond": "lrx.responses.latent_response",
    "settings": "lrx.assays.interface",
}

__all__ = [
    "Autoencoder",
    "Dataset",
    "FactorDataset",
    "Labelled",
    "Probabilistic",
    "Result",
    "Run",
    "adapt",
    "as_dataset",
    "assay",
    "explore",
    "intervene",
    "list_assays",
    "load",
    "metrics",
    "read_results",
    "respond",
    "settings",
]


def __getattr__(name: str) -> object:
    """Import the module of a public name when the name is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lrx' has no attribute {name!r}; it has {', '.join(__all__)}")
    attribute = "settings_class" if name == "settings" else name
    home = importlib.import_module(_HOMES[name])
    value: object = home if name in ("explore", "metrics") else getattr(home, attribute)  # a package that can be called
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, for completion."""
    return sorted([*globals(), *__all__])

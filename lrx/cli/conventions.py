"""Conventions of models that others made: which methods encode and decode, ranges of pixels, and the last activation.

Keys below `autoencoder` say them of a class of the user's own; `output`, `input_mean` and `input_std` of `lrx import`
say them of weights for a network of lrx, whose layout has defaults.
"""

from __future__ import annotations

import functools
import inspect
from typing import cast

import torch
from torch import nn

from lrx.cli.config import Config, setting_group
from lrx.cli.targets import import_target, keywords_of
from lrx.core.adapt import ACTIVATIONS, Scale, adapt, adapt_network, describe_parts, likely_parts
from lrx.core.latent_scale import rescale
from lrx.core.types import Autoencoder, Dataset, as_float
from lrx.storage.state_dict_layouts import Layout

TARGET = "autoencoder._target_"
SCALE = tuple(name for name in inspect.signature(rescale).parameters if name != "model")
ADAPTER = (*(name for name in inspect.signature(adapt).parameters if name != "model"), *SCALE)
CONVENTIONS = ("output", "input_mean", "input_std")
LOOKED_AT = 1024  # observations whose range is looked at


def as_autoencoder(config: Config, model: nn.Module) -> Autoencoder:
    """Return a model with encode and decode as a config says; the model itself where it says nothing.

    ValueError for a class of the user's own that lacks them, with what to write.
    """
    if config.value(TARGET):
        given = {key: config.plain(f"autoencoder.{key}") for key in _adapter_keys(config)}
        given = {key: value for key, value in given.items() if value is not None}
        if not given and isinstance(model, Autoencoder):
            return model
        has = [name for name in ("encode", "decode") if callable(getattr(model, name, None)) or name in given]
        if len(has) < 2:
            raise ValueError(_missing_methods(model, has))
        scale = {key: given.pop(key) for key in SCALE if key in given}
        with setting_group("autoencoder"):
            adapted = adapt(model, **given)  # type: ignore[arg-type]
            return rescale(adapted, **scale) if scale else adapted  # type: ignore[arg-type]
    output, mean, std = (config.plain(key) for key in CONVENTIONS)
    if output is None:  # trained by lrx, or imported by 0.1.0
        assert isinstance(model, Autoencoder)
        return model
    return adapt_network(model, str(output), cast(Scale, mean), cast(Scale, std))


def without_adapter(config: Config) -> Config:
    """Return a config whose node `autoencoder` has the settings of the class alone."""
    return functools.reduce(Config.without, (f"autoencoder.{key}" for key in _adapter_keys(config)), config)


def check_keys(config: Config) -> None:
    """Check that the keys of a class and those of a network are not mixed. ValueError says what to write."""
    node, target = config.plain("autoencoder"), config.value(TARGET)
    if isinstance(node, str):
        raise ValueError(f"autoencoder={node} is no node; write {TARGET}={node} trust=[{node.partition('.')[0]}]")
    given = [key for key, value in cast(dict[str, object], node or {}).items() if value is not None]
    if not target and (given or config.plain("trust")):
        typed = " and ".join([f"autoencoder.{key}" for key in given[:2]] + ["trust"] * bool(config.plain("trust")))
        raise ValueError(f"{typed} is for a class of your own, which {TARGET}=package.Class names; it is missing")
    mixed = [key for key in CONVENTIONS if config.value(key) is not None]
    if target and mixed:
        value = config.plain(mixed[0])
        value = {"sigmoid": "logits", "identity": "pixels"}.get(str(value), value)
        raise ValueError(
            f"{mixed[0]} is for weights of a network of lrx; for your own class write autoencoder.{mixed[0]}={value}"
        )


def check_dataset(config: Config) -> None:
    """Check that a data set is given. ValueError names them."""
    if not config.value("dataset._target_"):
        raise ValueError(
            "lrx import needs dataset=..., the images that the model was trained on: dsprites, 3dshapes, mpi3d, "
            "celeba, or your own as dataset=folder dataset.path=FOLDER or dataset=arrays dataset.path=FILE"
        )


def with_conventions(config: Config, layout: Layout, dataset: Dataset) -> tuple[Config, str]:
    """Return the config with activation and normalisation of a network's weights, and a line that says what they are.

    What neither the config nor the layout says is assumed: a sigmoid, or no activation where observations lie outside
    [0, 1]. ValueError for an activation whose range observations leave.
    """
    low, high = observed_range(dataset)
    outside = low < -1e-6 or high > 1 + 1e-6
    span = f"observations lie between {low:.4g} and {high:.4g}"
    output = config.value("output") or layout.output or ("identity" if outside else "sigmoid")
    if output in ("sigmoid", "tanh") and outside:
        raise ValueError(f"output={output} gives values in [0, 1], and {span}; give output=identity")
    named = {"sigmoid": "a sigmoid", "identity": "no activation"}.get(str(output), str(output))
    line = f"{named} follows the decoder's last layer: "
    if config.value("output"):
        line += f"output={output}"
    elif layout.output:
        line += f"layout={config.choices.get('layout', '...')}; output= changes it"
    else:
        others = " or ".join(f"output={name}" for name in ACTIVATIONS if name != output)
        line += f"assumed\n(weights do not say it; {span}); if not, give {others}"
    for key, plain in (("output", output), ("input_mean", 0.0), ("input_std", 1.0)):
        if config.value(key) is None:
            stated = getattr(layout, key)
            config = config.replaced(key, plain if stated is None else stated)
    mean, std = (config.plain(key) for key in CONVENTIONS[1:])
    scale = f"\nthe encoder reads (x - {mean}) / {std}" if (mean, std) != (0.0, 1.0) else ""
    return config, line + scale


def observed_range(dataset: Dataset) -> tuple[float, float]:
    """Return the least and the greatest value of observations, of some all over the data set, as models see them."""
    indices = torch.linspace(0, len(dataset) - 1, min(len(dataset), LOOKED_AT), dtype=torch.float64).long()
    x = as_float(dataset.raw(indices))
    return float(x.min()), float(x.max())


def constructor_keys(config: Config) -> list[str]:
    """Return a line about each key that names an adapter's part, but is a setting of the class."""
    own = set(_adapter_keys(config)) if config.value(TARGET) else set(ADAPTER)
    keys = [key for key in ADAPTER if key not in own and config.value(f"autoencoder.{key}") is not None]
    return [f"autoencoder.{key} goes to the constructor, which has a setting of this name" for key in keys]


def _adapter_keys(config: Config) -> list[str]:
    """Return the keys of `autoencoder` that are not settings of the class itself."""
    target = import_target(TARGET, str(config.value(TARGET)))
    taken = keywords_of(target) if callable(target) else set()
    return [key for key in ADAPTER if key not in taken]


def _missing_methods(model: nn.Module, has: list[str]) -> str:
    """Say what a class lacks, and what to write instead."""
    lacking = " and ".join(part for part in ("encode", "decode") if part not in has)
    keys = " ".join(f"autoencoder.{key}={value}" for key, value in likely_parts(model).items() if key not in has)
    return (
        f"{TARGET} makes {type(model).__module__}.{type(model).__name__}, without {lacking}; name its parts, as in "
        f"{keys}; it has {describe_parts(model)}"
    )

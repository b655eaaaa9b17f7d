"""`lrx import`: make a checkpoint of published weights; a class of the user's own is tried on one observation."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from lrx.cli.build import build_model, check_folder, open_dataset, run_session
from lrx.cli.config import Config
from lrx.cli.console import messages
from lrx.cli.finished import code_of
from lrx.core.checksum import file_sha256
from lrx.core.data_identity import observations_fingerprint
from lrx.core.paths import CHECKPOINT, expand_user
from lrx.core.types import Autoencoder, Dataset, as_float
from lrx.runs import run_folder
from lrx.storage.state_dict import load_weights, read_state_dict, strip_prefix
from lrx.storage.state_dict_layouts import Layout
from lrx.training import checkpoint


def import_command(config: Config, folder: Path) -> None:
    """Make a checkpoint of a state dict that fits the model key by key."""
    config.check_targets()
    layout = cast(Layout, config.build("layout"))
    source = expand_user(str(config.value("weights")))
    weights = read_state_dict(source)
    check_folder(folder, config)
    dataset = open_dataset(config)
    model = build_model(config, dataset)
    try:
        weights = layout(weights)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    load_weights(model, strip_prefix(weights, model.state_dict()), source)
    if config.value("autoencoder._target_"):
        check_autoencoder(model, dataset, str(config.value("autoencoder._target_")))
    path = folder / CHECKPOINT
    digest = file_sha256(source)
    code = code_of(config)
    with run_session(config, folder, "import", {"weights": digest, **({"code": code} if code else {})}):
        run_folder.write_config(folder, config.text)
        checkpoint.save(
            path,
            model=model,
            optimizer=None,
            step=0,
            steps=0,
            config=config.text,
            data={"name": dataset.name, "source": dataset.source, "fingerprint": observations_fingerprint(dataset)},
            origin=f"{source.name}, sha256 {digest}",
        )
    messages.note(f"imported {len(weights)} tensors: {path}")


def check_autoencoder(model: nn.Module, dataset: Dataset, name: str) -> None:
    """Encode and decode one observation, twice in a batch. ValueError says what a foreign class does wrong."""
    assert isinstance(model, Autoencoder)
    x = as_float(dataset.raw(torch.tensor([0, 0])))
    model.eval()
    method, given = "encode", tuple(x.shape)
    try:
        with torch.inference_mode():
            z = model.encode(x)
            fits = isinstance(z, Tensor) and z.ndim == 2 and len(z) == len(x) and z.is_floating_point()
            if not fits:
                raise ValueError(f"it gives {_kind(z)}, not codes (2, D)")
            method, given = "decode", tuple(z.shape)
            decoded = model.decode(z)
            if not isinstance(decoded, Tensor) or decoded.shape != x.shape:
                raise ValueError(f"it gives {_kind(decoded)}, not observations {tuple(x.shape)}")
    except Exception as error:  # whatever foreign code does
        reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ValueError(f"{name}.{method} was tried on two of {dataset.name}, {given}: {reason}") from error


def _kind(value: object) -> str:
    return f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"

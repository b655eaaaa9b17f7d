"""Parts that commands share: data sets and models as a config describes them, and the session in a run folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import torch
from torch import nn

from lrx.cli.config import Config, setting_group
from lrx.cli.console import messages
from lrx.cli.console.progress import WorkProgress
from lrx.cli.conventions import as_autoencoder, without_adapter
from lrx.core.foreign_code import is_foreign
from lrx.core.types import Autoencoder, Dataset
from lrx.data.correlation import with_correlation
from lrx.models.losses.reconstruction import AUTO, resolve_reconstruction
from lrx.responses.encoding import num_drawn
from lrx.runs import run_folder, status
from lrx.storage.state_dict import load_weights
from lrx.training import checkpoint


def open_dataset(config: Config) -> Dataset:
    """Open the data set of a config, with its `dataset.correlation`; progress is shown while it is converted, once.

    ValueError as the data set raises it, and for a correlation that its factors or labels do not allow.
    """
    with WorkProgress("preparing the data set (once)") as progress:
        dataset = cast(Dataset, config.without("dataset.correlation").build("dataset", progress=progress))
    remark = getattr(dataset, "remark", "")
    if remark:
        messages.warn(f"{dataset.name}: {remark}")
    with setting_group("dataset"):
        return with_correlation(dataset, cast(Mapping[str, object] | str | None, config.plain("dataset.correlation")))


def build_model(config: Config, dataset: Dataset) -> nn.Module:
    """Build the model of a config for the shape of a data set, its weights drawn from the config's seed.

    A config with a node `autoencoder` has a class of the user's own, which may take the shape and `latent_dim` too.
    ValueError for a class that is no torch module.
    """
    shapes = {"observation_shape": dataset.observation_shape, "latent_dim": config.value("latent_dim")}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(checked_seed(config))
        if config.value("autoencoder._target_"):
            extra = {key: value for key, value in shapes.items() if config.value(f"autoencoder.{key}") is None}
            model = without_adapter(config).build("autoencoder", **extra)
        else:
            network = config.build("network")
            model = config.build("model", network=network, dataset_size=num_drawn(dataset), **shapes)
    if not isinstance(model, nn.Module):
        raise ValueError(
            f"autoencoder._target_ makes {type(model).__name__}, which is no torch module with encode and decode"
        )
    return model


def load_model(
    stored: Config,
    dataset: Dataset,
    trained: checkpoint.Checkpoint,
    path: Path,
    device: torch.device,
    *,
    channels_last: object = None,
) -> Autoencoder:
    """Build the model of a stored config with the weights of its checkpoint, on a device and in evaluation mode.

    channels_last: memory order of its convolutions; None: of lrx's networks alone, because `x.view(len(x), -1)`, which
    code of others has, takes no images in that order.
    """
    if channels_last is not None and not isinstance(channels_last, bool):
        raise ValueError(f"channels_last must be null, true or false, not {channels_last!r}")
    own = build_model(stored, dataset)
    load_weights(own, trained.model, path)
    model = as_autoencoder(stored, own)
    assert isinstance(model, nn.Module)
    model.to(device)
    if channels_last or (channels_last is None and not is_foreign(model)):
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.eval()
    assert isinstance(model, Autoencoder)
    return model


def check_folder(folder: Path, config: Config, inputs: Mapping[str, str] | None = None) -> None:
    """Check that a run folder is new or was made by this config; `model.reconstruction=auto` equals what it stands for.

    inputs: SHA-256 of input files by name, which may have been moved since. ValueError lists the keys that differ.
    """

    def resolved() -> str:
        return resolve_reconstruction(AUTO, open_dataset(config).observation_shape)

    run_folder.check_same(folder, config.flat(), {"model.reconstruction": resolved}, inputs)


def checked_seed(config: Config) -> int:
    """Return the key `seed`. ValueError unless it is a whole number of 32 bits."""
    seed = config.value("seed")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be a whole number from 0 to 2**32 - 1, not {seed!r}")
    return seed


@contextmanager
def run_session(
    config: Config, folder: Path, command: str, inputs: Mapping[str, str] | None = None
) -> Iterator[status.Session]:
    """Lock the run folder for the block and record the outcome in status.json."""
    fingerprint = run_folder.fingerprint(run_folder.identity(config.flat()))
    with status.run_session(
        folder,
        command=command,
        overrides=config.overrides,
        config=fingerprint,
        inputs=inputs,
        threads=torch.get_num_threads(),
        check=lambda: check_folder(folder, config, inputs),  # again: another process may have been here first
    ) as session:
        yield session

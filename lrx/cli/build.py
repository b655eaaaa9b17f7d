"""The parts that commands share: data sets and models as a config describes them, and the hold on a run folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, cast

import torch
from torch import nn

from lrx.cli.console.progress import WorkProgress
from lrx.core.types import Autoencoder, Dataset
from lrx.core.validation import SettingError
from lrx.data.correlation import correlated
from lrx.models.losses.reconstruction import AUTO, resolve_reconstruction
from lrx.models.network import Network, NetworkFactory
from lrx.responses.encoding import num_drawn
from lrx.runs import run_folder, status


class Config(Protocol):
    """The part of lrx.cli.main.Config that commands use; described there."""

    choices: dict[str, str]
    overrides: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole config as yaml."""
        ...

    def flat(self) -> dict[str, str]:
        """Every dotted key and its value as text."""
        ...

    def target(self, key: str) -> str:
        """The name of what a node describes."""
        ...

    def value(self, key: str) -> object:
        """A single value."""
        ...

    def plain(self, key: str) -> object:
        """A value of any kind, in python's own types."""
        ...

    def replaced(self, key: str, value: object) -> Config:
        """The same config with another value of one key."""
        ...

    def without(self, key: str) -> Config:
        """Return the same config without one key."""
        ...

    def build(self, key: str, **given: object) -> object:
        """The object that a node describes."""
        ...

    def stored(self, text: str, *, override: str) -> Config:
        """The config that a checkpoint holds, with the overrides of a node of this one."""
        ...

    def check_targets(self) -> None:
        """ValueError for code that nobody vouched for."""
        ...


def open_dataset(config: Config) -> Dataset:
    """Open the data set of a config, with its `dataset.correlation`; progress is shown while it is converted, once.

    ValueError as the data set raises it, and for a correlation that its factors or labels do not allow.
    """
    with WorkProgress("preparing the data set (once)") as progress:
        dataset = cast(Dataset, config.without("dataset.correlation").build("dataset", progress=progress))
    try:
        return correlated(dataset, cast(Mapping[str, object] | str | None, config.plain("dataset.correlation")))
    except SettingError as error:
        raise ValueError(f"dataset.{error}") from error


def build_model(config: Config, dataset: Dataset) -> nn.Module:
    """The model of a config, told the data set's shape, its weights drawn from the config's seed.

    A config with a node `autoencoder` has a class of the user's own, which may take the shape and `latent_dim` too.
    """
    known = {"observation_shape": dataset.observation_shape, "latent_dim": config.value("latent_dim")}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(whole_seed(config))
        if config.value("autoencoder._target_"):
            own = {key: value for key, value in known.items() if config.value(f"autoencoder.{key}") is None}
            model = config.build("autoencoder", **own)
        else:
            network = _network_factory(config)
            model = config.build("model", network=network, dataset_size=num_drawn(dataset), **known)
    if not isinstance(model, nn.Module) or not isinstance(model, Autoencoder):
        raise ValueError(
            f"autoencoder._target_ makes {type(model).__name__}, which is no torch module with encode and decode"
        )
    return model


def _network_factory(config: Config) -> NetworkFactory:
    """The network of a config, to be built by the model; its own settings are named with their group."""
    factory = cast(NetworkFactory, config.build("network"))

    def build(*, observation_shape: tuple[int, ...], latent_dim: int, heads: int) -> Network:
        try:
            return factory(observation_shape=observation_shape, latent_dim=latent_dim, heads=heads)
        except SettingError as error:
            raise ValueError(f"network.{error}") from error

    return build


def check_folder(folder: Path, config: Config) -> None:
    """Check that a run folder is new or was made by this config; `model.reconstruction=auto` equals what it stands for.

    ValueError lists the keys that differ.
    """

    def resolved() -> str:
        return resolve_reconstruction(AUTO, open_dataset(config).observation_shape)

    run_folder.check_same(folder, config.flat(), {"model.reconstruction": resolved})


def whole_seed(config: Config) -> int:
    """The key `seed`, checked."""
    seed = config.value("seed")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be a whole number from 0 to 2**32 - 1, not {seed!r}")
    return seed


@contextmanager
def working(
    config: Config, folder: Path, command: str, inputs: Mapping[str, str] | None = None
) -> Iterator[status.Session]:
    """Hold the run folder for the block, and say in it how the block went."""
    fingerprint = run_folder.fingerprint(run_folder.identity(config.flat()))
    with status.run_session(
        folder, command=command, overrides=config.overrides, config=fingerprint, inputs=inputs
    ) as work:
        check_folder(folder, config)  # again: another process may have been here first
        yield work

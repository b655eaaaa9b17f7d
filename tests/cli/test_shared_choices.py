"""Configs of jobs that share a composition: the same as Hydra composes one by one, whatever the words are."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import Container, DictConfig, Node, OmegaConf

from lrx.cli.errors import message
from lrx.cli.sweep_configs import JobConfigLoader, refusal_of

VALUES = ["seed=3", "trainer.lr=1e-3", "trainer.clip=null", "name='2026'", "trainer.steps=${seed}"]
VALUES += ["then=[paper,'a.b=[c]']"]
CHANGES = ["+trainer.new={a: {b: [1, 2]}}", "++trainer.lr=3", "++new.key=x", "~trainer.steps", "~trainer.lr=3"]
CHANGES += ["+x='a,b'"]
CHOICES = ["model=betavae", "dataset=helix", "network=mlp", "network={hidden: [4]}", "model.beta=4"]
CHOICES += ["latent_dim=2"]
GROUPS = ["+model@extra=betavae", "~network", "track=[csv]", "trainer={lr: 2}", "hydra.job.num=7", "seed=5"]


@pytest.fixture
def own(tmp_path: Path) -> str:
    """A folder in which the key `trainer` is a group, as it is nowhere else, with a choice that needs a network."""
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer/slow.yaml").write_text("defaults: [{/network@head: mlp}]\nlr: 7\n")
    return f"hydra.searchpath=[file://{tmp_path}]"


@pytest.fixture(scope="module")
def loaders() -> tuple[ConfigLoaderImpl, JobConfigLoader]:
    """Hydra's own and the one of lrx."""
    Plugins.instance()
    version.setbase("1.3")
    path = create_config_search_path("pkg://lrx.configs")
    return ConfigLoaderImpl(path), JobConfigLoader(path)


def nodes(node: Node, key: str = "") -> Iterator[tuple[object, ...]]:
    """Everything that OmegaConf keeps of a config: keys in order, values as written, types and flags."""
    value = None if isinstance(node, Container) and not (node._is_none() or node._is_missing()) else node._value()
    kept = vars(node._metadata) | {"flags": {k: v for k, v in (node._metadata.flags or {}).items() if v is not None}}
    yield key, type(node), value, repr(sorted(kept.items(), key=str))
    if value is None and isinstance(node, Container) and not node._is_none():
        keys = node if isinstance(node, DictConfig) else range(len(node))
        for name in keys:
            yield from nodes(node._get_node(name), f"{key}.{name}")


def by_both(
    loaders: tuple[ConfigLoaderImpl, JobConfigLoader], sweep: list[str], jobs: list[list[str]]
) -> Iterator[tuple[DictConfig, DictConfig]]:
    """The configs of jobs by Hydra and by lrx, each made after the others were changed."""
    hydra, shared = loaders
    master = hydra.load_configuration("train", ["seed=0,1", *sweep], RunMode.MULTIRUN)
    OmegaConf.get_cache(master)["now"] = {"x": "y"}
    for words in jobs:
        config = shared.load_sweep_config(master, words)
        assert refusal_of(config) is None
        yield hydra.load_sweep_config(master, words), config
        OmegaConf.update(config, "seed", 99)
        OmegaConf.update(config, "hydra.job.name", "changed", force_add=True)


def test_same_configs_as_hydra(loaders: tuple[ConfigLoaderImpl, JobConfigLoader]) -> None:
    jobs = [VALUES[:4], [*CHOICES, *VALUES], [*CHANGES, *VALUES[:1]], [*CHOICES[:2], "seed=4"], VALUES[:4], GROUPS]
    sweep = ["hydra/launcher=lrx_slurm", "hydra.launcher.mem_gb=2", "hydra.sweep.subdir='of/${seed}'"]
    for words, (one, other) in zip(jobs, by_both(loaders, sweep, jobs), strict=True):
        assert list(nodes(one)) == list(nodes(other)), words
    assert OmegaConf.get_cache(other)["now"] == {"x": "y"}


def test_same_config_with_own_folder(own: str, loaders: tuple[ConfigLoaderImpl, JobConfigLoader]) -> None:
    jobs = [["+trainer@t=slow", "t.lr=8", "seed=1"], ["+trainer@t=slow", "seed=2"]]
    for one, other in by_both(loaders, [own], jobs):
        assert "head" in other.t
        assert list(nodes(one)) == list(nodes(other))


@pytest.fixture(scope="module")
def master(loaders: tuple[ConfigLoaderImpl, JobConfigLoader]) -> DictConfig:
    """The config of a sweep."""
    return loaders[0].load_configuration("train", ["seed=0,1"], RunMode.MULTIRUN)


@pytest.mark.parametrize("word", ["model=nosuch", "seed=1,2", "+seed=3", "a=[", "~seed=3", "model@a=vae"])
def test_same_errors_as_hydra(word: str, master: DictConfig, loaders: tuple[ConfigLoaderImpl, JobConfigLoader]) -> None:
    hydra, shared = loaders
    with pytest.raises(HydraException) as error:
        hydra.load_sweep_config(master, ["seed=1", word])
    assert refusal_of(shared.load_sweep_config(master, ["seed=1", word])) == message(error.value)


def test_kept_configs_stay_in_the_process(
    master: DictConfig, loaders: tuple[ConfigLoaderImpl, JobConfigLoader]
) -> None:
    _, shared = loaders
    shared.load_sweep_config(master, ["seed=1"])
    sent = pickle.loads(pickle.dumps(shared))
    assert vars(shared).keys() - vars(sent).keys() == {"_shared"}
    words = ["seed=1", "name=fixed"]  # the default name is the time
    assert sent.load_sweep_config(master, words) == shared.load_sweep_config(master, words)

"""Every yaml: it composes, its target exists, its keys bind, and what it builds keeps its contract."""

from __future__ import annotations

import copy
import functools
import inspect
import re
from dataclasses import fields, replace
from pathlib import Path

import lrx.configs
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_module
from hydra.utils import get_method, instantiate
from omegaconf import DictConfig, OmegaConf

from lrx.assays.catalog import describe
from lrx.assays.run import run_assay
from lrx.cli.build import build_model
from lrx.cli.config import Config
from lrx.cli.targets import keywords_of
from lrx.core.factors import FactorSpace
from lrx.core.settings import default_of
from lrx.core.types import AssayResult, Dataset, Probabilistic, Trainable, as_float
from lrx.data.helix import double_helix
from lrx.models.autoencoder import NetworkAutoencoder
from lrx.training import checkpoint
from lrx.training.loop import train
from scripts.toy_assays import ToyMaps, sparse_toy
from tests.support.observers import Callbacks

ROOT = Path(lrx.configs.__path__[0])
GROUPS = {
    group: sorted(path.stem for path in (ROOT / group).glob("*.yaml"))
    for group in ("dataset", "model", "network", "assay", "trainer", "experiment", "official", "layout")
}
NODES = [(group, name) for group, names in GROUPS.items() for name in names if group != "experiment"]


class ToyGrid:
    """A factor grid of images of any shape whose pixels are the classes; no file behind it."""

    name, source, fingerprint = "toy", "made in the test", "toy"
    factors = FactorSpace(("row", "column", "constant"), (4, 3, 1))

    def __init__(self, observation_shape: tuple[int, ...]) -> None:
        self.observation_shape = observation_shape

    def __len__(self) -> int:
        return self.factors.num_points

    def raw(self, indices: torch.Tensor) -> torch.Tensor:
        classes = self.factors.classes(indices)
        value = 20 + 50 * classes[:, 0] + 20 * classes[:, 1]
        shape = (len(indices), *(1 for _ in self.observation_shape))
        return value.to(torch.uint8).view(shape).expand(-1, *self.observation_shape).contiguous()


def composed(command: str, *overrides: str) -> DictConfig:
    return copy.deepcopy(_composed(command, *overrides))


@functools.cache
def _composed(command: str, *overrides: str) -> DictConfig:
    with initialize_config_module("lrx.configs", version_base="1.3"):
        return compose(command, list(overrides))


def model_from(*overrides: str, dataset: Dataset | None = None) -> torch.nn.Module:
    config = Config(composed("train", *overrides), {})
    return build_model(config, dataset or ToyGrid((3, 64, 64)))


@functools.cache
def image_side(network: str) -> int:
    """The side of the square images that a network takes."""
    for side in (64, 128):
        try:
            with torch.device("meta"):  # without values to draw
                model_from("model=ae", f"network={network}", dataset=ToyGrid((3, side, side)))
        except ValueError:
            continue
        return side
    raise AssertionError(f"network={network} takes no images of 64 or 128 pixels")


def test_config_folders() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == {*GROUPS, "hydra"}  # test_sweeps.py knows the launcher there
    assert all(GROUPS.values())


@pytest.mark.parametrize(("group", "name"), NODES)
def test_keys_fit_the_target(group: str, name: str) -> None:
    node = OmegaConf.load(ROOT / group / f"{name}.yaml")
    assert isinstance(node, DictConfig)
    target = get_method(node["_target_"])
    assert target.__module__.startswith("lrx.")
    parameters = inspect.signature(target).parameters
    keys = {str(key) for key in node if not str(key).startswith("_") and key != "defaults"}
    given = {  # what commands hand over beside the yaml
        "dataset": {"progress"},
        "model": {"network", "observation_shape", "latent_dim", "dataset_size"},
        "network": {"observation_shape", "latent_dim", "heads"},
        "assay": set(),
        "trainer": set(),
        "official": set(),
        "layout": set(),
    }[group]
    accepted = keywords_of(target)
    assert keys <= accepted, f"{keys - accepted} are no parameters of {target.__name__}"
    needed = {
        key for key, value in parameters.items() if value.default is value.empty and value.kind is not value.VAR_KEYWORD
    }
    assert needed <= keys | given, f"{needed - keys - given} have no value in the yaml"
    if group == "assay":  # tests/assays/test_settings.py holds its yaml equal to the settings
        return
    if group == "trainer":  # its settings have defaults, which the yaml repeats
        assert {key: node[key] for key in keys} == {field.name: default_of(field) for field in fields(target)}
        return
    nothing = (inspect.Parameter.empty, None)
    defaults = {key for key in keys if key in parameters and parameters[key].default not in nothing}
    assert not defaults, f"{defaults} have a default in python too; a number has one home"


@pytest.mark.parametrize("name", GROUPS["experiment"])
def test_experiment_composes(name: str) -> None:
    node = composed("train", f"experiment={name}")
    settings = instantiate(node.trainer, _convert_="all")
    assert settings.steps >= 1


def test_sweeps_in_comments_compose() -> None:
    commands = [
        line.removeprefix("#   lrx train -m ").split()
        for name in GROUPS["experiment"]
        for line in (ROOT / "experiment" / f"{name}.yaml").read_text().splitlines()
        if line.startswith("#   lrx train -m ")
    ]
    assert len(commands) >= 10
    for words in commands:
        for model in next(word for word in words if word.startswith("model=")).removeprefix("model=").split(","):
            last = [re.sub(r"=.*,", "=", word) for word in words if not word.startswith(("model=", "seed="))]
            node = composed("train", f"model={model}", *last)
            assert {"levels", "values", "beta", "c_max", "gamma", "lambda_od"} & set(node.model) or model in (
                "ae",
                "vae",
                "wae_mmd",
            )


# every model with one network; every network with a code of one head, of two, and with stages of both its halves
PAIRS = {(model, "conv64") for model in GROUPS["model"]}
PAIRS |= {(model, network) for model in ("adaae", "vae", "vlae") for network in GROUPS["network"]}


@pytest.mark.parametrize(("model", "network"), sorted(PAIRS))
def test_model_contract(model: str, network: str) -> None:
    side = image_side(network)
    dataset = ToyGrid((3, side, side))
    built = model_from(f"model={model}", f"network={network}", "latent_dim=12", dataset=dataset)
    assert isinstance(built, Trainable)
    x = as_float(dataset.raw(torch.tensor([0, 7])))
    z = built.encode(x)
    assert z.shape == (2, 12)
    decoded = built.decode(z)
    assert decoded.shape == x.shape
    assert decoded.min() >= 0
    assert decoded.max() <= 1
    assert built.encode(decoded).shape == z.shape  # the loop closes
    if isinstance(built, Probabilistic):
        mean, std = built.posterior(x)
        assert torch.equal(mean, z)
        assert (std > 0).all()
    losses = built.loss(x, step=0, generator=torch.Generator().manual_seed(0))
    again = built.loss(x, step=0, generator=torch.Generator().manual_seed(0))
    assert all(value.shape == () and torch.isfinite(value) for value in losses.values())
    assert losses["loss"] == again["loss"]
    losses["loss"].backward()
    assert all(parameter.grad is not None for parameter in built.parameters())


@pytest.mark.parametrize("model", GROUPS["model"])
def test_model_of_vectors(model: str) -> None:
    dataset = double_helix(num_points=16, noise=0.1, seed=0)
    built = model_from(f"model={model}", "network=mlp", "latent_dim=6", dataset=dataset)
    assert isinstance(built, NetworkAutoencoder)
    assert built.reconstruction == "gaussian"
    assert built.decode(built.encode(as_float(dataset.raw(torch.arange(4))))).shape == (4, 3)


@pytest.mark.parametrize("model", GROUPS["model"])
def test_model_resumes_bit_for_bit(model: str, tmp_path: Path) -> None:
    defaults = instantiate(composed("train").trainer, _convert_="all")
    settings = replace(defaults, steps=20, batch_size=6, checkpoint_every=8, log_every=5, lr=1e-3)
    dataset = ToyGrid((1, 8, 8))
    rows: list[dict[str, float]] = []

    def run(path: Path, stop_at: int | None = None) -> dict[str, torch.Tensor]:
        words = [f"model={model}", "network=mlp", "network.hidden=[16,16]", "latent_dim=6"]
        built = model_from(*words, *(["model.width=16"] if model == "factorvae" else []), dataset=dataset)
        assert isinstance(built, Trainable)

        def stop(done: int) -> None:
            if done == stop_at:
                raise KeyboardInterrupt

        train(
            built,
            dataset,
            settings,
            seed=1,
            path=path,
            config="text",
            observer=Callbacks(on_step=stop, on_log=lambda step, row: rows.append(dict(row))),
        )
        return built.state_dict()

    whole = run(tmp_path / "whole.pt")
    assert rows
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut.pt", stop_at=13)
    assert checkpoint.load(tmp_path / "cut.pt").step == 8
    for key, value in run(tmp_path / "cut.pt").items():
        assert torch.equal(value, whole[key]), key


FEW = {"num_samples": 32, "num_bootstrap": 4, "num_replicates": 4, "num_pairs": 2, "num_nodes": 8, "probe_steps": 2}
FEW |= {"resolution": 8, "preset": "fast"}


@pytest.mark.parametrize("assay", GROUPS["assay"])
def test_assay_on_toy_grid(assay: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRX_DATA", str(tmp_path))
    node = composed("assay", "ckpt=none", f"assay={assay}").assay
    node.update({key: value for key, value in FEW.items() if key in node})
    if assay == "paper":
        node.only = ["reconstruction", "response_matrix"]
    about = describe(assay)
    needs_places = about is not None and about.codes.places
    dataset = ToyGrid((1, 8, 8)) if needs_places else ToyGrid((1, 4, 4))
    vectors = model_from("model=vae", "network=mlp", "latent_dim=2", dataset=dataset)
    model, data = (ToyMaps() if needs_places else vectors, dataset)
    if about is not None and about.codes.sparse:
        model, data = sparse_toy()  # type: ignore[assignment]
    settings = instantiate(node, _convert_="all")
    measured = run_assay(settings, model, data, torch.Generator().manual_seed(0))
    for result in [measured] if isinstance(measured, AssayResult) else measured.values():
        assert isinstance(result, AssayResult)
        assert result.arrays
        assert all(len(array.axes) == array.values.ndim for array in result.arrays.values())

"""Every assay in one run: which are run, on which draws, how often images are encoded, one response matrix."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from torch import Tensor, nn

from lrx.assays import catalog
from lrx.assays.description import Description
from lrx.assays.paper.assay import Settings, default_assays
from lrx.assays.paper.assay import measure as measure_paper
from lrx.assays.response_matrix.assay import Settings as ResponseMatrix
from lrx.assays.run import run_assay
from lrx.core.settings import Checked, setting
from lrx.core.types import Array, AssayResult, Dataset
from lrx.data.helix import double_helix
from lrx.data.labelled import StoreDataset
from lrx.responses.encoding import encode_images
from lrx.responses.measurement import Measurement, measurement
from tests.cli.test_configs import ToyGrid, composed, model_from


class Counting(nn.Module):
    """Pixels are codes; counts what it encodes."""

    encoded = 0

    def encode(self, x: Tensor) -> Tensor:
        self.encoded += len(x)
        return x.flatten(1)

    def decode(self, z: Tensor) -> Tensor:
        return z.view(-1, 1, 2, 2)


@dataclass(frozen=True, kw_only=True)
class Looking(Checked):
    """Settings of an assay that encodes images drawn from its generator, and stores their codes."""

    size: int = setting(3, "images", at_least=1)


def measure(m: Measurement, settings: Looking) -> AssayResult:
    """Measure `Looking`, which is found by the module of its settings."""
    if isinstance(settings, Refusing):
        raise ValueError(f"{settings.size} images are refused")
    indices = torch.randperm(len(m.dataset), generator=m.generator)[: settings.size]
    codes = encode_images(m.autoencoder, m.dataset, indices, batch_size=4)
    m.progress(1, 2)
    m.progress(2, 2)
    arrays = {"codes": Array(codes.numpy(), ("image", "latent"))}
    if m.matrix is not None:
        arrays["matrix"] = Array(m.matrix.on_scale("half")[0].numpy(), ("intervened", "responding"))
    return AssayResult(arrays=arrays, coordinates={})


def run(
    assays: Mapping[str, Checked],
    dataset: Dataset,
    only: str | list[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    seed: int = 0,
) -> Mapping[str, AssayResult]:
    settings = Settings(assays=dict(assays), only=only)
    results = run_assay(settings, Counting(), dataset, torch.Generator().manual_seed(seed), progress=progress)
    assert isinstance(results, Mapping)
    return results


@pytest.fixture
def graded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be an assay `graded` that needs factors."""
    descriptions = {**catalog.descriptions(), "graded": Description(title="Graded", question="?", needs="factors")}
    monkeypatch.setattr(catalog, "descriptions", lambda: descriptions)


def test_assays_share_draws_and_codes() -> None:
    model, shares = Counting(), []
    m = measurement(
        model,
        ToyGrid((1, 2, 2)),
        torch.Generator().manual_seed(0),
        progress=lambda done, total: shares.append(done / total),
    )
    model.encoded = 0
    results = measure_paper(m, Settings(assays={"small": Looking(size=4), "large": Looking(size=7)}))
    assert list(results) == ["small", "large"]
    small, large = (results[name].arrays["codes"].values for name in ("small", "large"))
    assert np.array_equal(small, large[:4])
    assert model.encoded == 7
    assert shares == [0.25, 0.5, 0.75, 1.0]


@dataclass(frozen=True, kw_only=True)
class Refusing(Looking):
    """Settings that `measure` refuses."""


class Store:
    """Store of results in memory."""

    def __init__(self) -> None:
        self.results: dict[str, AssayResult] = {}

    def get(self, name: str) -> AssayResult | None:
        return self.results.get(name)

    def put(self, name: str, result: AssayResult) -> None:
        self.results[name] = result


def test_refusal_leaves_the_others() -> None:
    results = run({"first": Looking(), "refused": Refusing(size=9), "last": Looking()}, ToyGrid((1, 2, 2)))
    assert results["refused"].is_empty
    remark = str(results["refused"].settings["remark"])  # with its place: the package of the model is that of the assay
    assert re.fullmatch(r"not measured: .*ValueError: 9 images are refused", remark)
    assert np.array_equal(results["first"].arrays["codes"].values, results["last"].arrays["codes"].values)
    with pytest.raises(ValueError, match="9 images are refused"):
        run({"refused": Refusing(size=9), "again": Refusing(size=8)}, ToyGrid((1, 2, 2)))


def test_error_of_foreign_code_leaves_the_others() -> None:
    class Failing(Counting):
        def encode(self, x: Tensor) -> Tensor:
            return {3: super().encode(x), 1: super().encode(x)}[len(x)]

    settings = Settings(assays={"first": Looking(), "failing": Looking(size=7), "last": Looking()})
    results = run_assay(settings, Failing(), ToyGrid((1, 2, 2)), torch.Generator().manual_seed(0), remarks=["Doubt."])
    assert isinstance(results, Mapping)
    remark = str(results["failing"].settings["remark"])
    assert re.fullmatch(r"Doubt\.; not measured: .*test_paper\.py, line \d+, in encode: KeyError: 4", remark)
    assert results["first"].settings == {"remark": "Doubt."}
    assert not results["last"].is_empty


def test_stored_results_are_not_measured_again() -> None:
    store, model = Store(), Counting()
    for count in (2, 3):
        assays = dict.fromkeys("abc"[:count], Looking(size=5)) | {"refused": Refusing()}
        generator = torch.Generator().manual_seed(0)
        model.encoded = 0
        run_assay(Settings(assays=dict(assays)), model, ToyGrid((1, 2, 2)), generator, store=store)
        assert list(store.results) == list("abc"[:count])
    assert model.encoded == 1 + 5  # one for the number of latents


def test_same_draws_as_alone() -> None:
    drawn = {"traversal": "code", "codes": "codes", "manifold": "z_posterior", "response_map": "posterior"}
    assays = {**{name: default_assays()[name] for name in drawn}, "response_matrix": ResponseMatrix(num_samples=64)}
    together = run(assays, ToyGrid((1, 2, 2)), seed=5)
    for name, key in {**drawn, "response_matrix": "matrix"}.items():
        alone = run_assay(assays[name], Counting(), ToyGrid((1, 2, 2)), torch.Generator().manual_seed(5))
        assert isinstance(alone, AssayResult)
        assert np.array_equal(together[name].arrays[key].values, alone.arrays[key].values), name


def test_one_response_matrix() -> None:
    assays = {"before": Looking(), "response_matrix": ResponseMatrix(num_samples=64), "after": Looking()}
    results = run(assays, ToyGrid((1, 2, 2)))
    assert "matrix" not in results["before"].arrays
    shared, own = (results[name].arrays["matrix"].values for name in ("after", "response_matrix"))
    assert np.array_equal(shared, own)
    alone = run({"response_matrix": ResponseMatrix(num_samples=64)}, ToyGrid((1, 2, 2)))
    assert np.array_equal(own, alone["response_matrix"].arrays["matrix"].values)


@pytest.mark.usefixtures("graded")
def test_assays_that_do_not_fit_the_data() -> None:
    helix = double_helix(num_points=9, noise=0.1, seed=0)
    assays = {"plain": Looking(), "graded": Looking()}
    assert list(run(assays, helix)) == ["plain"]
    with pytest.raises(ValueError, match=r"only=graded needs known factors.*double helix"):
        run(assays, helix, only=["graded"])
    with pytest.raises(ValueError, match="plain, graded, not other"):
        run(assays, helix, only="other")


class LabelledToy:
    """The images of the toy grid, with labels instead of factors; with one value each where `sizes` says so."""

    name, source, fingerprint, observation_shape = "toy", "made in the test", "0", (1, 2, 2)
    label_names = ToyGrid.factors.names

    def __init__(self, sizes: tuple[int, ...] = ToyGrid.factors.sizes) -> None:
        self.label_sizes = sizes

    def __len__(self) -> int:
        return 12

    def raw(self, indices: Tensor) -> Tensor:
        return ToyGrid((1, 2, 2)).raw(indices)

    def label_classes(self, indices: Tensor) -> Tensor:
        return ToyGrid.factors.classes(indices)


@pytest.mark.usefixtures("graded")
def test_labels_suffice_for_classes_but_not_for_factors() -> None:
    def names(dataset: Dataset, only: list[str] | None = None) -> list[str]:
        return list(run({"plain": Looking(), "metrics": Looking(), "graded": Looking()}, dataset, only))

    points = StoreDataset(name="points", source="made", fingerprint="0", pixels=np.zeros((9, 3), np.float32))
    assert names(ToyGrid((1, 2, 2))) == ["plain", "metrics", "graded"]
    assert names(LabelledToy()) == ["plain", "metrics"]
    assert names(LabelledToy(), ["metrics"]) == ["metrics"]
    assert names(LabelledToy((1, 1, 1))) == names(points) == ["plain"]
    with pytest.raises(ValueError, match=r"only=graded needs known factors of variation, and toy has none"):
        names(LabelledToy(), ["graded"])
    with pytest.raises(ValueError, match=r"only=metrics needs known factors of variation or labels, and points"):
        names(points, ["metrics"])


def test_yaml_on_labelled_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRX_DATA", str(tmp_path))
    chosen = "assay.only=[metrics,generation,interpolation]"
    sizes = ["assay.assays.interpolation.probe_steps=5", "assay.assays.generation.probe_steps=5"]
    node = composed("assay", "ckpt=none", "assay=paper", chosen, *sizes).assay
    model = model_from("model=vae", "network=mlp", "latent_dim=2", dataset=ToyGrid((1, 2, 2)))
    settings = instantiate(node, _convert_="all")
    results = run_assay(settings, model, LabelledToy(), torch.Generator().manual_seed(0))
    assert isinstance(results, Mapping)
    assert list(results) == ["metrics", "generation", "interpolation"]
    assert results["metrics"].coordinates["factor"].tolist() == ["row", "column"]
    assert results["generation"].settings["features"] == "probe"
    assert "probe_accuracy" in results["interpolation"].scores
    assert len(list((tmp_path / "probes").iterdir())) == 1  # trained once

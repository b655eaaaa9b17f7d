"""Every assay in one go: which are run, on which draws, and how often images are encoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from torch import Tensor, nn

from lrx.assays.paper.assay import paper
from lrx.core.types import Array, AssayResult, Dataset
from lrx.data.helix import double_helix
from lrx.data.labelled import StoreDataset
from lrx.responses.encoding import encode_images
from tests.cli.test_configs import ToyGrid, composed, model_from


class Counting(nn.Module):
    """Pixels are codes; counts what it encodes."""

    encoded = 0

    def encode(self, x: Tensor) -> Tensor:
        self.encoded += len(x)
        return x.flatten(1)

    def decode(self, z: Tensor) -> Tensor:
        return z.view(-1, 1, 2, 2)


def looking(size: int) -> object:
    """An assay that encodes images drawn from its generator, and tells their codes."""

    def assay(model: nn.Module, dataset: Dataset, generator: torch.Generator, *, progress: object) -> AssayResult:
        indices = torch.randperm(len(dataset), generator=generator)[:size]
        codes = encode_images(model, dataset, indices, batch_size=4)
        assert callable(progress)
        progress(1, 2)
        progress(2, 2)
        return AssayResult(arrays={"codes": Array(codes.numpy(), ("image", "latent"))}, coordinates={})

    return assay


def test_assays_share_draws_and_codes() -> None:
    model, seen = Counting(), []
    results = paper(
        model,
        ToyGrid((1, 2, 2)),
        torch.Generator().manual_seed(0),
        assays={"small": looking(4), "large": looking(7)},
        need_factors=["large"],
        need_classes=[],
        only=None,
        progress=lambda done, total: seen.append(done / total),
    )
    assert list(results) == ["small", "large"]
    small, large = (results[name].arrays["codes"].values for name in ("small", "large"))
    assert np.array_equal(small, large[:4])
    assert model.encoded == 7
    assert seen == [0.25, 0.5, 0.75, 1.0]


def test_what_does_not_fit_the_data_is_left_out_or_refused() -> None:
    helix, generator = double_helix(num_points=9, noise=0.1, seed=0), torch.Generator()
    assays = {"plain": looking(3), "graded": looking(3)}
    found = paper(
        Counting(),
        helix,
        generator,
        assays=assays,
        need_factors=["graded"],
        need_classes=[],
        only=None,
        progress=lambda *_: None,
    )
    assert list(found) == ["plain"]
    with pytest.raises(ValueError, match=r"only=graded needs known factors.*double helix"):
        paper(Counting(), helix, generator, assays=assays, need_factors=["graded"], need_classes=[], only=["graded"])
    with pytest.raises(ValueError, match="plain, graded, not other"):
        paper(Counting(), helix, generator, assays=assays, need_factors=[], need_classes=[], only="other")


class LabelledToy:
    """The images of the toy grid, with labels instead of factors; of one value each, where told so."""

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


def test_labels_serve_what_needs_classes_and_not_what_needs_a_grid() -> None:
    assays = {"plain": looking(3), "metrics": looking(3), "graded": looking(3)}

    def names(dataset: Dataset, only: list[str] | None = None) -> list[str]:
        given = {"assays": assays, "need_factors": ["graded"], "need_classes": ["metrics"]}
        return list(paper(Counting(), dataset, torch.Generator(), only=only, progress=lambda *_: None, **given))

    points = StoreDataset(name="points", source="made", fingerprint="0", pixels=np.zeros((9, 3), np.float32))
    assert names(ToyGrid((1, 2, 2))) == ["plain", "metrics", "graded"]
    assert names(LabelledToy()) == ["plain", "metrics"]
    assert names(LabelledToy(), ["metrics"]) == ["metrics"]
    assert names(LabelledToy((1, 1, 1))) == names(points) == ["plain"]
    with pytest.raises(ValueError, match=r"only=graded needs known factors of variation, and toy has none"):
        names(LabelledToy(), ["graded"])
    with pytest.raises(ValueError, match=r"only=metrics needs known factors of variation or labels, and points"):
        names(points, ["metrics"])


def test_the_yaml_runs_on_labels_what_labels_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRX_DATA", str(tmp_path))
    chosen = "assay.only=[metrics,generation,interpolation]"
    sizes = ["assay.assays.interpolation.probe_steps=5", "assay.assays.generation.probe_steps=5"]
    node = composed("assay", "ckpt=none", "assay=paper", chosen, *sizes).assay
    model = model_from("model=vae", "network=mlp", "latent_dim=2", dataset=ToyGrid((1, 2, 2)))
    found = instantiate(node, _convert_="all")(model, LabelledToy(), torch.Generator().manual_seed(0))
    assert list(found) == ["metrics", "generation", "interpolation"]
    assert found["metrics"].coordinates["factor"].tolist() == ["row", "column"]
    assert found["generation"].settings["features"] == "probe"
    assert "probe_accuracy" in found["interpolation"].scores
    assert len(list((tmp_path / "probes").iterdir())) == 1  # trained once

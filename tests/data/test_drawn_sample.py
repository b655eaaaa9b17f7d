"""Every assay that draws images draws those of the sample, where a data set shows only a part of itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from torch import Tensor

from lrx.assays.factor_inference import assay as inference
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult, Sampled
from lrx.responses.encoding import encode_images
from tests.cli.test_configs import ToyGrid, composed, model_from

pytestmark = pytest.mark.usefixtures("without_pictures")


class Half:
    """40 images (1, 4, 4) with a label, of which every other one is shown; tells which were read."""

    name, source, fingerprint, observation_shape = "half", "made in the test", "0", (1, 4, 4)
    label_names, label_sizes = ("bright",), (2,)

    def __init__(self) -> None:
        self.sample: Tensor | None = torch.arange(0, 40, 2)
        self.read: set[int] = set()

    def __len__(self) -> int:
        return 40

    def raw(self, indices: Tensor) -> Tensor:
        self.read |= set(indices.tolist())
        return (6 * indices[:, None, None, None] + torch.arange(16).view(1, 4, 4)).to(torch.uint8)

    def label_classes(self, indices: Tensor) -> Tensor:
        return (indices >= 20).long()[:, None]


class HalfGrid(ToyGrid):
    """The toy grid with four images shown."""

    sample = torch.tensor([0, 4, 8, 11])


def assay(name: str, dataset: Half | HalfGrid, *overrides: str) -> AssayResult:
    node = composed("assay", "ckpt=none", f"assay={name}", *overrides).assay
    model = model_from("model=vae", "network=mlp", "latent_dim=2", dataset=ToyGrid((1, 4, 4)))
    result = run_assay(instantiate(node, _convert_="all"), model, dataset, torch.Generator().manual_seed(0))
    assert isinstance(result, AssayResult)
    return result


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("response_matrix", ["assay.base=posterior"]),
        ("latent_graph", ["assay.base=posterior_sample"]),
        ("traversal", ["assay.images=20"]),
        ("response_map", []),
        ("manifold", []),
        (
            "interpolation",
            ["assay.probe_steps=null"],
        ),  # a probe is trained on all images, see lrx.sample_quality.factor_probe
        ("generation", ["assay.features=pixels"]),
        ("metrics", ["assay.preset=fast"]),
    ],
)
def test_only_images_of_the_sample_are_read(name: str, overrides: list[str]) -> None:
    data = Half()
    assert isinstance(data, Sampled)
    assay(name, data, *overrides)
    assert data.read <= set(range(0, 40, 2))
    assert len(data.read) > 1


def test_factor_inference_uses_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[int] = set()

    def watched(model: Any, dataset: Any, indices: Tensor, **settings: Any) -> Tensor:
        read.update(indices.tolist())
        return encode_images(model, dataset, indices, **settings)

    monkeypatch.setattr(inference, "encode_images", watched)
    assay("factor_inference", HalfGrid((1, 4, 4)))
    assert read == {0, 4, 8, 11}


def test_sample_too_small() -> None:
    one, few = Half(), HalfGrid((1, 4, 4))
    one.sample = torch.tensor([6])
    with pytest.raises(ValueError, match="goes between images, and half has 1"):
        assay("interpolation", one, "assay.cache=null")
    few.sample = few.sample[:3]
    with pytest.raises(ValueError, match="needs 4 images or more, and toy has 3"):
        assay("factor_inference", few)
    with pytest.raises(ValueError, match="twice as many images, and half has 1,"):
        assay("generation", one)

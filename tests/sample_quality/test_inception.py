"""Inception v3: its published size, names, stages and pooling; features of images; and files that do not fit."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lrx.assays.generation.assay import Settings
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult
from lrx.sample_quality import inception
from lrx.sample_quality.distances import Estimate
from lrx.sample_quality.inception import InceptionV3, read_inception
from tests.support.models_for_tests import one_thread as one_thread


def empty(variant: str) -> InceptionV3:
    """Shapes alone: no memory and no arithmetic."""
    with torch.device("meta"):
        return InceptionV3(variant).eval()


SHAPES = {name: {key: value.shape for key, value in empty(name).state_dict().items()} for name in inception.CLASSES}


def random_weights(variant: str) -> dict[str, Tensor]:
    """Weights that keep the size of maps. All are parts of one storage, so that a file of them is small."""
    numbers, weights = torch.randn(2_500_000, generator=torch.Generator().manual_seed(0)), {}
    for key, shape in SHAPES[variant].items():
        if key.endswith("num_batches_tracked"):
            weights[key] = torch.tensor(7)
        elif key.endswith("running_var"):
            fan_in = SHAPES[variant][key.replace("bn.running_var", "conv.weight")][1:].numel()
            weights[key] = torch.tensor(fan_in / 2).expand(shape)  # of a sum of so many squares after ReLU
        elif key.endswith("bn.weight"):
            weights[key] = torch.tensor(1.0).expand(shape)
        else:
            weights[key] = numbers[: shape.numel()].view(shape)
    return weights


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inception") / "fid.pth"
    torch.save(random_weights("fid"), path)
    return path


@pytest.fixture(scope="module")
def network(file: Path) -> InceptionV3:
    return read_inception(file)[0]


def images(count: int, channels: int = 3, side: int = 16) -> Tensor:
    """Noise from dim to bright."""
    noise = torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(1))
    return noise * torch.linspace(0.1, 1, count).view(-1, 1, 1, 1)


def test_features_do_not_depend_on_batch_or_channels(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = read_inception(file)[0].double()
    monkeypatch.setattr(inception, "SIDE", 91)
    x = images(3).double()
    together = network.features(x)
    assert together.shape == (3, 2048)
    assert together.dtype == torch.float64
    assert together.std(0).mean() > 1e-3  # images differ
    alone = torch.cat([network.features(part) for part in x.split(1)])
    monkeypatch.setattr(inception, "BATCH", 2)
    for found in (alone, network.features(x)):
        assert torch.allclose(found, together, rtol=1e-9, atol=1e-9)
    grey = x[:1, :1]
    assert torch.allclose(network.features(grey), network.features(grey.repeat(1, 3, 1, 1)), rtol=1e-9, atol=1e-9)


def test_read_inception(file: Path, tmp_path: Path) -> None:
    state = torch.get_rng_state()
    network, digest = read_inception(file)
    assert torch.equal(torch.get_rng_state(), state)
    assert digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert network.variant == "fid"
    assert not network.training
    weights = random_weights("fid")
    assert all(torch.equal(value, weights[key]) for key, value in network.state_dict().items())
    old = {key: value for key, value in random_weights("torchvision").items() if "num_batches" not in key}
    torch.save(old, tmp_path / "torchvision.pth")
    other, _ = read_inception(tmp_path / "torchvision.pth")
    assert other.variant == "torchvision"
    assert torch.equal(other.AuxLogits.fc.weight, old["AuxLogits.fc.weight"])


def test_other_files_are_refused(file: Path, tmp_path: Path) -> None:
    nothing = torch.tensor(0.0)
    fitting = {
        key: torch.tensor(0) if key.endswith("num_batches_tracked") else nothing.expand(shape)
        for key, shape in SHAPES["fid"].items()
    }
    lacking = {key: value for key, value in fitting.items() if not key.startswith("Mixed_7c.branch_pool.conv")}
    wrong = {
        "foreign": ({"layer1.0.conv1.weight": nothing, "fc.weight": nothing.expand(1000, 2048)}, "no weights of"),
        "classes": (fitting | {"fc.weight": nothing.expand(10, 2048)}, r"whose fc\.weight is \(10, 2048\); give pt_"),
        "lacking": (lacking, r"missing: Mixed_7c\.branch_pool\.conv\.weight$"),
        "shape": (
            fitting | {"fc.bias": nothing.expand(1)},
            r"wrong shape: fc\.bias \(1,\) \(the model has \(1008,\)\)$",
        ),
        "more": (fitting | {"head": nothing}, "unexpected: head$"),
    }
    for name, (content, message) in wrong.items():
        torch.save(content, tmp_path / name)
        with pytest.raises(ValueError, match=message) as caught:
            read_inception(tmp_path / name)
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)
    (tmp_path / "cut").write_bytes(file.read_bytes()[:5000])
    with pytest.raises(ValueError, match="is no state dict that loads safely"):
        read_inception(tmp_path / "cut")
    with pytest.raises(FileNotFoundError, match=r"inception=.*none: no such file; give pt_inception"):
        read_inception(tmp_path / "none")


class Pictures:
    """Random images, and a model whose latents are their pixels."""

    name, source, fingerprint, observation_shape = "pictures", "random", "0", (1, 4, 4)

    def __len__(self) -> int:
        return 8

    def raw(self, indices: Tensor) -> Tensor:
        return images(8, 1, 4)[indices]

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def decode(self, z: Tensor) -> Tensor:
        return z.view(-1, 1, 4, 4)


def test_generation_with_inception_features(file: Path, network: InceptionV3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inception, "SIDE", 75)  # 20 times as fast
    compared: list[tuple[Tensor, Tensor]] = []

    def compare(x_NK: Tensor, y_NK: Tensor, *, neighbours: int) -> dict[str, Estimate]:
        compared.append((x_NK, y_NK))
        return {name: Estimate(0.0, 0.0, 0.0) for name in ("frechet", "kernel", "precision", "recall")}

    monkeypatch.setattr("lrx.assays.generation.assay.compare", compare)
    settings: dict[str, Any] = {"num_samples": 4, "refinements": 0, "features": "inception", "inception": str(file)}
    unused: dict[str, Any] = {"components": 1, "probe_steps": 1, "cache": None}
    chosen = Settings(**settings, **unused, neighbours=1, shown=1, batch_size=3)
    result = run_assay(chosen, Pictures(), Pictures(), torch.Generator().manual_seed(0))
    assert isinstance(result, AssayResult)
    told = {"inception_variant": "fid", "inception_sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    told |= {"features": "inception", "inception": str(file), "num_features": 2048, "scale": 1.0}
    assert told.items() <= result.settings.items()
    (data, reference), *samples = compared
    assert [len(x) for x, _ in compared] == [4] * 5
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(torch.cat([data, reference]), network.features(images(8, 1, 4)[order]), rtol=1e-4, atol=1e-5)
    assert torch.allclose(samples[-1][0], data, rtol=1e-4, atol=1e-5)  # posterior means decode to the images
    assert (samples[0][0] - data).abs().max() > 0.01

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
from lrx.sample_quality.inception import InceptionV3, preprocess, read_inception
from tests.support.models_for_tests import one_thread as one_thread

# Names within a block and the convolution's shape (out, in, height, width), one block of every kind.
BLOCKS = {
    "Mixed_5c": {
        "branch1x1": (64, 256, 1, 1),
        "branch5x5_1": (48, 256, 1, 1),
        "branch5x5_2": (64, 48, 5, 5),
        "branch3x3dbl_1": (64, 256, 1, 1),
        "branch3x3dbl_2": (96, 64, 3, 3),
        "branch3x3dbl_3": (96, 96, 3, 3),
        "branch_pool": (64, 256, 1, 1),
    },
    "Mixed_6a": {
        "branch3x3": (384, 288, 3, 3),
        "branch3x3dbl_1": (64, 288, 1, 1),
        "branch3x3dbl_2": (96, 64, 3, 3),
        "branch3x3dbl_3": (96, 96, 3, 3),
    },
    "Mixed_6b": {
        "branch1x1": (192, 768, 1, 1),
        "branch7x7_1": (128, 768, 1, 1),
        "branch7x7_2": (128, 128, 1, 7),
        "branch7x7_3": (192, 128, 7, 1),
        "branch7x7dbl_1": (128, 768, 1, 1),
        "branch7x7dbl_2": (128, 128, 7, 1),
        "branch7x7dbl_3": (128, 128, 1, 7),
        "branch7x7dbl_4": (128, 128, 7, 1),
        "branch7x7dbl_5": (192, 128, 1, 7),
        "branch_pool": (192, 768, 1, 1),
    },
    "Mixed_7a": {
        "branch3x3_1": (192, 768, 1, 1),
        "branch3x3_2": (320, 192, 3, 3),
        "branch7x7x3_1": (192, 768, 1, 1),
        "branch7x7x3_2": (192, 192, 1, 7),
        "branch7x7x3_3": (192, 192, 7, 1),
        "branch7x7x3_4": (192, 192, 3, 3),
    },
    "Mixed_7c": {
        "branch1x1": (320, 2048, 1, 1),
        "branch3x3_1": (384, 2048, 1, 1),
        "branch3x3_2a": (384, 384, 1, 3),
        "branch3x3_2b": (384, 384, 3, 1),
        "branch3x3dbl_1": (448, 2048, 1, 1),
        "branch3x3dbl_2": (384, 448, 3, 3),
        "branch3x3dbl_3a": (384, 384, 1, 3),
        "branch3x3dbl_3b": (384, 384, 3, 1),
        "branch_pool": (192, 2048, 1, 1),
    },
}
# Channels and side of what leaves each stage, for 299 x 299 pixels (Szegedy et al. 2015, table 1).
STAGES = {
    "Conv2d_1a_3x3": (32, 149),
    "Conv2d_2a_3x3": (32, 147),
    "Conv2d_2b_3x3": (64, 147),
    "maxpool1": (64, 73),
    "Conv2d_3b_1x1": (80, 73),
    "Conv2d_4a_3x3": (192, 71),
    "maxpool2": (192, 35),
    "Mixed_5b": (256, 35),
    "Mixed_5c": (288, 35),
    "Mixed_5d": (288, 35),
    **{f"Mixed_6{letter}": (768, 17) for letter in "abcde"},
    "Mixed_7a": (1280, 8),
    "Mixed_7b": (2048, 8),
    "Mixed_7c": (2048, 8),
}
OF_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


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


def test_number_of_weights() -> None:
    def number(variant: str, without: str = "nothing") -> int:
        return sum(p.numel() for name, p in empty(variant).named_parameters() if not name.startswith(without))

    assert number("torchvision") == 27_161_264
    assert number("torchvision", without="AuxLogits") == 23_834_568
    assert number("fid") == 23_834_568 + 8 * (2048 + 1)  # 1008 classes for 1000


def test_names_and_shapes_of_published_files() -> None:
    for shapes in SHAPES.values():
        for block, convolutions in BLOCKS.items():
            expected = {f"{block}.{name}.conv.weight": shape for name, shape in convolutions.items()}
            for name, (out, *_) in convolutions.items():
                expected |= {f"{block}.{name}.bn.{part}": (out,) for part in OF_NORM}
                expected[f"{block}.{name}.bn.num_batches_tracked"] = ()
            assert {key: tuple(shape) for key, shape in shapes.items() if key.startswith(block)} == expected
        assert shapes["Conv2d_1a_3x3.conv.weight"] == (32, 3, 3, 3)
    assert len(SHAPES["fid"]) == 94 * 6 + 2  # 94 convolutions, one classifier
    assert len(SHAPES["torchvision"]) == 96 * 6 + 4
    assert SHAPES["fid"]["fc.weight"] == (1008, 2048)
    assert SHAPES["torchvision"]["fc.bias"] == SHAPES["torchvision"]["AuxLogits.fc.bias"] == (1000,)
    assert SHAPES["torchvision"]["AuxLogits.conv1.conv.weight"] == (768, 128, 5, 5)


@pytest.mark.parametrize("variant", ["fid", "torchvision"])
def test_stage_sizes(variant: str) -> None:
    network, found = InceptionV3(variant).eval(), {}
    for name in STAGES:
        network.get_submodule(name).register_forward_hook(lambda m, x, y, name=name: found.update({name: y.shape}))
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 299, 299)).shape == (1, 2048)
    assert list(found) == list(STAGES)
    assert found == {name: (1, channels, side, side) for name, (channels, side) in STAGES.items()}


def test_pooling_of_variants() -> None:
    ones, spike = torch.ones(1, 1, 5, 5).double(), torch.zeros(1, 1, 5, 5).double()
    spike[..., 2, 2] = 9
    around = torch.zeros(5, 5).double()
    around[1:4, 1:4] = 1
    padded = torch.tensor([4 / 9, 6 / 9, 6 / 9, 6 / 9, 4 / 9], dtype=torch.float64)  # ones, along an edge
    averaging = ("5b", "5c", "5d", "6b", "6c", "6d", "6e", "7b", "7c")
    for variant in inception.CLASSES:
        network = empty(variant)
        for block in averaging:
            pool = network.get_submodule(f"Mixed_{block}.pool")
            maximum = (variant, block) == ("fid", "7c")
            assert torch.allclose(pool(spike)[0, 0], 9 * around if maximum else around, rtol=1e-12)
            edge = torch.ones(5).double() if variant == "fid" else padded
            assert torch.allclose(pool(ones)[0, 0, 0], edge, rtol=1e-12)


def test_order_of_branches() -> None:
    block = InceptionV3("fid").Mixed_7c.double().eval().requires_grad_(False)
    order = ("branch1x1", "branch3x3_2a", "branch3x3_2b", "branch3x3dbl_3a", "branch3x3dbl_3b", "branch_pool")
    for place, name in enumerate(order):
        layer = block.get_submodule(name)
        layer.conv.weight.zero_()
        layer.bn.bias.fill_(place + 1)
    wide = [BLOCKS["Mixed_7c"][name][0] for name in order]
    expected = torch.repeat_interleave(torch.arange(6) + 1, torch.tensor(wide)).double()
    assert torch.equal(block(torch.zeros(1, 2048, 2, 2).double()), expected.view(1, -1, 1, 1).expand(1, 2048, 2, 2))


def test_convolution_epsilon_and_relu() -> None:
    layer = inception.Convolution(1, 1, 1).double().eval().requires_grad_(False)
    layer.conv.weight.fill_(2.0)
    layer.bn.running_mean.fill_(1.0)
    layer.bn.running_var.fill_(0.008)
    found = layer(torch.tensor([3.0, 0.2], dtype=torch.float64).view(1, 1, 1, 2)).flatten()
    assert found.tolist() == pytest.approx([5 / 0.009**0.5, 0], rel=1e-7)  # (2 * 3 - 1) / sqrt(0.008 + 0.001)


def test_preprocess() -> None:
    assert torch.equal(preprocess(torch.full((2, 1, 8, 6), 0.25)), torch.full((2, 3, 299, 299), -0.5))
    exact = images(2, side=299)
    assert torch.equal(preprocess(exact), 2 * exact - 1)
    step = torch.tensor([0.0, 1.0], dtype=torch.float64).view(1, 1, 1, 2)
    places = ((torch.arange(299).double() + 0.5) * 2 / 299 - 0.5).clamp(0, 1)  # pixels are areas, their values at 0, 1
    assert torch.allclose(preprocess(step)[0, 0, 0], 2 * places - 1, atol=1e-12)


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

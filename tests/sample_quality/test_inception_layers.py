"""Layers of Inception: sizes of published files, order of branches, pooling, input."""

from __future__ import annotations

import pytest
import torch

from lrx.sample_quality import inception
from lrx.sample_quality.inception import InceptionV3, preprocess
from tests.sample_quality.test_inception import SHAPES, empty, images
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

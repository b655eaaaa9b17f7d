"""Inception v3 up to its last average pooling: the 2048 features of published Fréchet distances (FID).

Two weights files fit. `fid`: the network of Heusel et al. 2017 (arXiv 1706.08500), TensorFlow's graph of 2015-12-05, as
published for pytorch-fid. `torchvision`: that of the torchvision package. The networks differ in three places: fid
leaves padding out of its averages, takes maxima in its last block, and has 1008 classes.
Architecture: Szegedy et al. 2015 (arXiv 1512.00567), table 1 and figures 5 to 7; names are those of the files.
B images, C channels, H x W pixels, K = 2048 features.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lrx.core.checksum import file_sha256
from lrx.core.paths import why_no_file
from lrx.core.validation import SettingError
from lrx.storage.state_dict import load_weights
from lrx.storage.state_dict_file import read_state_dict

FEATURES = 2048
SIDE = 299  # pixels of the images that the network was trained on
BATCH = 16  # images in one pass: about 200 MB of maps
CLASSES = {"fid": 1008, "torchvision": 1000}
FILES = "pt_inception-2015-12-05-6726825d.pth of pytorch-fid or inception_v3_google-0cc3c7bd.pth of torchvision"


class Layer(NamedTuple):
    """Convolution of a block: name in the files, output channels, kernel (a side, or height and width)."""

    name: str
    channels: int
    kernel: int | tuple[int, int]


Branch = Sequence[Layer | tuple[Layer, ...]]  # layers in series; a tuple of layers runs side by side, concatenated


class InceptionV3(nn.Module):
    """Inception v3 for a weights file: `variant` is fid or torchvision.

    It has the classifiers too, so that every key of a file is checked; features do not use them.
    """

    def __init__(self, variant: str) -> None:
        super().__init__()
        fid, classes = variant == "fid", CLASSES[variant]
        average = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=not fid)
        maximum = nn.MaxPool2d(3, stride=1, padding=1)
        self.variant = variant
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3, padding=1)
        self.maxpool1 = nn.MaxPool2d(3, stride=2)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3)
        self.maxpool2 = nn.MaxPool2d(3, stride=2)
        self.Mixed_5b = Mixed(192, BLOCK_A, average, pool_channels=32)
        self.Mixed_5c = Mixed(256, BLOCK_A, average, pool_channels=64)
        self.Mixed_5d = Mixed(288, BLOCK_A, average, pool_channels=64)
        self.Mixed_6a = Mixed(288, BLOCK_B, nn.MaxPool2d(3, stride=2), stride=2)
        self.Mixed_6b = Mixed(768, _block_c(128), average, pool_channels=192)
        self.Mixed_6c = Mixed(768, _block_c(160), average, pool_channels=192)
        self.Mixed_6d = Mixed(768, _block_c(160), average, pool_channels=192)
        self.Mixed_6e = Mixed(768, _block_c(192), average, pool_channels=192)
        self.Mixed_7a = Mixed(768, BLOCK_D, nn.MaxPool2d(3, stride=2), stride=2)
        self.Mixed_7b = Mixed(1280, BLOCK_E, average, pool_channels=192)
        self.Mixed_7c = Mixed(FEATURES, BLOCK_E, maximum if fid else average, pool_channels=192)
        self.trunk = tuple(name for name, _ in self.named_children())
        self.fc = nn.Linear(FEATURES, classes)
        if not fid:
            convolutions = {"conv0": Convolution(768, 128, 1), "conv1": Convolution(128, 768, 5)}
            self.AuxLogits = nn.ModuleDict({**convolutions, "fc": nn.Linear(768, classes)})

    def forward(self, x: Tensor) -> Tensor:
        """Map pixels (B, 3, H, W) in [-1, 1], of at least 75 x 75, to features (B, K)."""
        for name in self.trunk:
            x = self.get_submodule(name)(x)
        return x.mean((2, 3))

    @torch.inference_mode()
    def features(self, x: Tensor) -> Tensor:
        """Map grey or colour images (B, C, H, W) in [0, 1], of any size, to features (B, K), float64 on the CPU."""
        return torch.cat([self(preprocess(part.to(self.fc.weight))).double().cpu() for part in torch.split(x, BATCH)])


def preprocess(x: Tensor) -> Tensor:
    """Resize images (B, C, H, W) in [0, 1] to the input of the network, (B, 3, 299, 299) in [-1, 1].

    Bilinear without antialiasing, as in pytorch-fid; another interpolation changes the distances.
    """
    resized = nn.functional.interpolate(x, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    return 2 * resized.expand(-1, 3, -1, -1) - 1


def read_inception(path: Path) -> tuple[InceptionV3, str]:
    """Load a weights file into its network; return the network, in eval mode, and the SHA-256 of the file.

    FileNotFoundError if there is no such file; ValueError if it holds anything but the weights of either network.
    """
    if not path.is_file():
        raise FileNotFoundError(f"inception={path}: {why_no_file(path)}; give {FILES}")
    weights = read_state_dict(path).tensors
    is_inception = "Mixed_7c.branch1x1.conv.weight" in weights and "fc.weight" in weights
    shape = tuple(weights["fc.weight"].shape) if is_inception else None
    variant = next((name for name, classes in CLASSES.items() if shape == (classes, FEATURES)), None)
    if variant is None:
        content = f"an Inception v3 whose fc.weight is {shape}" if is_inception else "no weights of Inception v3"
        raise SettingError(f"inception={path} holds {content}; give {FILES}")
    with torch.device("meta"):  # no initialisation of weights that are replaced
        network = InceptionV3(variant)
    network.to_empty(device="cpu").to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    counts = {key: torch.tensor(0) for key in network.state_dict() if key.endswith(".num_batches_tracked")}
    load_weights(network, counts | weights, path)  # files of torch before 0.4.1 have no such counts
    digest = file_sha256(path)
    return network.eval().requires_grad_(False), digest


class Convolution(nn.Module):
    """Convolution without bias, batch normalisation, ReLU."""

    def __init__(
        self, channels: int, out: int, kernel: int | tuple[int, int], *, stride: int = 1, padding: int | str = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, H, W) to (B, out, H', W')."""
        return nn.functional.relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """Block of branches side by side, then `branch_pool` behind the pooling where it has one.

    stride: of the last layer of each branch; 2 halves the maps.
    """

    def __init__(
        self, channels: int, branches: Sequence[Branch], pool: nn.Module, *, pool_channels: int = 0, stride: int = 1
    ) -> None:
        super().__init__()
        self.branches = [[_side_by_side(step) for step in branch] for branch in branches]
        for branch in self.branches:
            inputs = channels
            for step in branch:
                step_stride = stride if step is branch[-1] else 1
                padding = "same" if step_stride == 1 else 0
                for name, outputs, kernel in step:
                    self.add_module(name, Convolution(inputs, outputs, kernel, stride=step_stride, padding=padding))
                inputs = sum(layer.channels for layer in step)
        self.pool = pool
        self.branch_pool = Convolution(channels, pool_channels, 1) if pool_channels else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, H, W) to the concatenated maps of all branches."""
        outputs = []
        for branch in self.branches:
            y = x
            for step in branch:
                y = torch.cat([self.get_submodule(layer.name)(y) for layer in step], dim=1)
            outputs.append(y)
        return torch.cat([*outputs, self.branch_pool(self.pool(x))], dim=1)


def _side_by_side(step: Layer | tuple[Layer, ...]) -> tuple[Layer, ...]:
    return (step,) if isinstance(step, Layer) else step


# Figure 5, at 35 x 35; with a 5 x 5 convolution where the figure has one of 3 x 3.
BLOCK_A: tuple[Branch, ...] = (
    [Layer("branch1x1", 64, 1)],
    [Layer("branch5x5_1", 48, 1), Layer("branch5x5_2", 64, 5)],
    [Layer("branch3x3dbl_1", 64, 1), Layer("branch3x3dbl_2", 96, 3), Layer("branch3x3dbl_3", 96, 3)],
)
# Figure 10, from 35 x 35 to 17 x 17.
BLOCK_B: tuple[Branch, ...] = (
    [Layer("branch3x3", 384, 3)],
    [Layer("branch3x3dbl_1", 64, 1), Layer("branch3x3dbl_2", 96, 3), Layer("branch3x3dbl_3", 96, 3)],
)
# From 17 x 17 to 8 x 8.
BLOCK_D: tuple[Branch, ...] = (
    [Layer("branch3x3_1", 192, 1), Layer("branch3x3_2", 320, 3)],
    [
        Layer("branch7x7x3_1", 192, 1),
        Layer("branch7x7x3_2", 192, (1, 7)),
        Layer("branch7x7x3_3", 192, (7, 1)),
        Layer("branch7x7x3_4", 192, 3),
    ],
)
# Figure 7, at 8 x 8.
BLOCK_E: tuple[Branch, ...] = (
    [Layer("branch1x1", 320, 1)],
    [Layer("branch3x3_1", 384, 1), (Layer("branch3x3_2a", 384, (1, 3)), Layer("branch3x3_2b", 384, (3, 1)))],
    [
        Layer("branch3x3dbl_1", 448, 1),
        Layer("branch3x3dbl_2", 384, 3),
        (Layer("branch3x3dbl_3a", 384, (1, 3)), Layer("branch3x3dbl_3b", 384, (3, 1))),
    ],
)


def _block_c(width: int) -> tuple[Branch, ...]:
    """Return the branches of figure 6, at 17 x 17, with inner layers of `width` channels."""
    return (
        [Layer("branch1x1", 192, 1)],
        [Layer("branch7x7_1", width, 1), Layer("branch7x7_2", width, (1, 7)), Layer("branch7x7_3", 192, (7, 1))],
        [
            Layer("branch7x7dbl_1", width, 1),
            Layer("branch7x7dbl_2", width, (7, 1)),
            Layer("branch7x7dbl_3", width, (1, 7)),
            Layer("branch7x7dbl_4", width, (7, 1)),
            Layer("branch7x7dbl_5", 192, (1, 7)),
        ],
    )

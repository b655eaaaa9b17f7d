"""Inception v3 up to its last average pooling: the 2048 features in which published Fréchet distances (FID) are taken.

Two files of weights fit. `fid`: the network of Heusel et al. 2017 (arXiv 1706.08500), TensorFlow's graph of 2015-12-05,
as published for pytorch-fid. `torchvision`: that of the torchvision package. Their networks differ in three places: in
fid, averages at the border leave the padding out, the last block takes maxima, and there are 1008 classes.
Architecture: Szegedy et al. 2015 (arXiv 1512.00567), table 1 and figures 5 to 7; names are those of the files.
B images, C channels, H x W pixels, K = 2048 features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from lrx.core.validation import SettingError
from lrx.storage.state_dict import load_weights, read_state_dict

FEATURES = 2048
SIDE = 299  # pixels that the network was trained on
BATCH = 16  # images at a time: about 200 MB of maps
CLASSES = {"fid": 1008, "torchvision": 1000}
FILES = "pt_inception-2015-12-05-6726825d.pth of pytorch-fid or inception_v3_google-0cc3c7bd.pth of torchvision"

Layer = tuple[int, int | tuple[int, int]]  # channels that leave a convolution, and its kernel
Branches = Mapping[str, Sequence[Sequence[Layer]]]  # by name, one step after the other; layers of a step side by side


class InceptionV3(nn.Module):
    """The network of a weights file: `variant` is fid or torchvision.

    The classifiers hold their weights, so that a file is checked whole; features do without them.
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
        self.Mixed_5b = Mixed(192, _block_a(32), average)
        self.Mixed_5c = Mixed(256, _block_a(64), average)
        self.Mixed_5d = Mixed(288, _block_a(64), average)
        self.Mixed_6a = Mixed(288, BLOCK_B, nn.MaxPool2d(3, stride=2), stride=2)
        self.Mixed_6b = Mixed(768, _block_c(128), average)
        self.Mixed_6c = Mixed(768, _block_c(160), average)
        self.Mixed_6d = Mixed(768, _block_c(160), average)
        self.Mixed_6e = Mixed(768, _block_c(192), average)
        self.Mixed_7a = Mixed(768, BLOCK_D, nn.MaxPool2d(3, stride=2), stride=2)
        self.Mixed_7b = Mixed(1280, BLOCK_E, average)
        self.Mixed_7c = Mixed(FEATURES, BLOCK_E, maximum if fid else average)
        self.trunk = tuple(name for name, _ in self.named_children())
        self.fc = nn.Linear(FEATURES, classes)
        if not fid:
            convolutions = {"conv0": Convolution(768, 128, 1), "conv1": Convolution(128, 768, 5)}
            self.AuxLogits = nn.ModuleDict({**convolutions, "fc": nn.Linear(768, classes)})

    def forward(self, x: Tensor) -> Tensor:
        """Pixels (B, 3, H, W) in [-1, 1], of at least 75 x 75, to features (B, K)."""
        for name in self.trunk:
            x = self.get_submodule(name)(x)
        return x.mean((2, 3))

    @torch.inference_mode()
    def features(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1], grey or in colour, of any size, to features (B, K), float64 on the CPU."""
        return torch.cat([self(preprocess(part.to(self.fc.weight))).double().cpu() for part in torch.split(x, BATCH)])


def preprocess(x: Tensor) -> Tensor:
    """Images (B, C, H, W) in [0, 1] to what the network reads: (B, 3, 299, 299) in [-1, 1].

    Bilinear without smoothing, as pytorch-fid does it; other ways to resize change the distances.
    """
    resized = nn.functional.interpolate(x, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    return 2 * resized.expand(-1, 3, -1, -1) - 1


def read_inception(path: Path) -> tuple[InceptionV3, str]:
    """The network that a weights file is for, ready to give features, and the SHA-256 of the file.

    FileNotFoundError if there is no such file; ValueError if it holds anything but the weights of either network.
    """
    if not path.is_file():
        raise FileNotFoundError(f"inception={path}: no such file; give {FILES}")
    weights = read_state_dict(path)
    known = "Mixed_7c.branch1x1.conv.weight" in weights and "fc.weight" in weights
    shape = tuple(weights["fc.weight"].shape) if known else None
    variant = next((name for name, classes in CLASSES.items() if shape == (classes, FEATURES)), None)
    if variant is None:
        found = f"an Inception v3 whose fc.weight is {shape}" if known else "no weights of Inception v3"
        raise SettingError(f"inception={path} holds {found}; give {FILES}")
    with torch.device("meta"):  # no memory, no time and no random numbers for weights that are replaced
        network = InceptionV3(variant)
    network.to_empty(device="cpu").to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    counts = {key: torch.tensor(0) for key in network.state_dict() if key.endswith(".num_batches_tracked")}
    load_weights(network, counts | weights, path)  # files of torch before 0.4.1 have no such counts
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
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
        """Maps (B, channels, H, W) to maps (B, out, H', W')."""
        return nn.functional.relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """Branches side by side, `branch_pool` behind the pooling; with stride 2 the last step of each halves the maps."""

    def __init__(self, channels: int, branches: Branches, pool: nn.Module, *, stride: int = 1) -> None:
        super().__init__()
        self.pool = pool
        self.names: dict[str, list[list[str]]] = {}
        for branch, steps in branches.items():
            wide, self.names[branch] = channels, []
            for place, layers in enumerate(steps, 1):
                step = f"{branch}_{place}" if len(steps) > 1 else branch
                names = [step] if len(layers) == 1 else [f"{step}{letter}" for letter in "ab"]
                for name, (out, kernel) in zip(names, layers, strict=True):
                    pace = stride if place == len(steps) else 1
                    padding = "same" if pace == 1 else 0
                    self.add_module(name, Convolution(wide, out, kernel, stride=pace, padding=padding))
                wide = sum(out for out, _ in layers)
                self.names[branch].append(names)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, channels, H, W) to the maps of all branches, one after the other."""
        parts = []
        for branch, steps in self.names.items():
            y = self.pool(x) if branch == "branch_pool" else x
            for names in steps:
                y = torch.cat([self.get_submodule(name)(y) for name in names], dim=1)
            parts.append(y)
        return torch.cat(parts, dim=1)


def _block_a(pooled: int) -> Branches:
    """Figure 5, at 35 x 35; but for a 5 x 5 convolution where the figure has one of 3 x 3."""
    return {
        "branch1x1": [[(64, 1)]],
        "branch5x5": [[(48, 1)], [(64, 5)]],
        "branch3x3dbl": [[(64, 1)], [(96, 3)], [(96, 3)]],
        "branch_pool": [[(pooled, 1)]],
    }


def _block_c(wide: int) -> Branches:
    """Figure 6, at 17 x 17."""
    across, down = (1, 7), (7, 1)
    return {
        "branch1x1": [[(192, 1)]],
        "branch7x7": [[(wide, 1)], [(wide, across)], [(192, down)]],
        "branch7x7dbl": [[(wide, 1)], [(wide, down)], [(wide, across)], [(wide, down)], [(192, across)]],
        "branch_pool": [[(192, 1)]],
    }


# From 35 x 35 to 17 x 17, figure 10.
BLOCK_B: Branches = {
    "branch3x3": [[(384, 3)]],
    "branch3x3dbl": [[(64, 1)], [(96, 3)], [(96, 3)]],
    "branch_pool": [],
}
# From 17 x 17 to 8 x 8.
BLOCK_D: Branches = {
    "branch3x3": [[(192, 1)], [(320, 3)]],
    "branch7x7x3": [[(192, 1)], [(192, (1, 7))], [(192, (7, 1))], [(192, 3)]],
    "branch_pool": [],
}
# Figure 7, at 8 x 8.
BLOCK_E: Branches = {
    "branch1x1": [[(320, 1)]],
    "branch3x3": [[(384, 1)], [(384, (1, 3)), (384, (3, 1))]],
    "branch3x3dbl": [[(448, 1)], [(384, 3)], [(384, (1, 3)), (384, (3, 1))]],
    "branch_pool": [[(192, 1)]],
}

"""torch.compile of a model's networks, and the choice of the runs that gain from it."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from lrx.core.validation import SettingError

# Images of a whole run above which `auto` compiles: a minute of compiling that saves a tenth of each step pays off
# after ten minutes, which are so many images on a GPU that does 16,000 a second.
MIN_IMAGES = 10_000_000


def should_compile(choice: bool | str, device: torch.device, *, images: int) -> bool:
    """Return whether a run of `images` images in all compiles its networks; choice: true, false or `auto`.

    auto: on CUDA, if a C++ compiler and Python's headers are installed and the whole run has MIN_IMAGES images; all
    images and not those that are left, so that a resumed run uses the same kernels. SettingError for `true` without
    the compiler or the headers.
    """
    if choice is False or (choice == "auto" and device.type == "cpu"):
        return False  # oneDNN's convolutions are as fast without, and the rest of a network takes little time
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")  # as torch chooses it
    header = Path(sysconfig.get_path("include"), "Python.h")
    missing = [name for name, exists in ((compiler, shutil.which(compiler)), (header, header.exists())) if not exists]
    if choice == "auto":
        return not missing and images >= MIN_IMAGES
    if missing:
        raise SettingError(f"compile=true needs {missing[0]}, which is not there; install it, or give false")
    return True


def compile_networks(model: nn.Module) -> None:
    """Compile the networks of a model at their first call; they keep their names and parameters.

    nn.Module.compile does nothing for torch's own classes, such as nn.Sequential, whose code torch does not trace from
    the outermost frame; so each network gets an outer frame here. One graph per shape, and no graph of an earlier run,
    so that kernels do not depend on what else the process did.
    """
    torch.compiler.reset()
    for network in model.children():
        network.forward = torch.compile(_framed(network.forward), dynamic=False, options={"deterministic": True})


def _framed(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *inputs: forward(*inputs)

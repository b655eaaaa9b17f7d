"""torch.compile: whether it pays for a run, and how networks are compiled."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

# Images of a whole run. A minute of compiling, against a tenth of the time of the steps, is earned back in ten minutes:
# so many images on a GPU that does 16,000 a second.
WORTH_COMPILING = 10_000_000


def should_compile(choice: bool | str, device: torch.device, *, images: int) -> bool:
    """Whether a run of so many images in all compiles its networks, by trainer.compile: true, false or `auto`.

    auto: on CUDA, where the tools are there and the whole run has WORTH_COMPILING images; not by what is left of it,
    so that a run that was interrupted goes on with the same kernels. ValueError for `true` without the tools.
    """
    if choice is False or (choice == "auto" and device.type == "cpu"):
        return False  # oneDNN's convolutions are as quick without, and the rest of a network is little
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")  # as torch chooses it
    header = Path(sysconfig.get_path("include"), "Python.h")
    missing = [what for what, there in ((compiler, shutil.which(compiler)), (header, header.exists())) if not there]
    if choice == "auto":
        return not missing and images >= WORTH_COMPILING
    if missing:
        raise ValueError(f"trainer.compile=true needs {missing[0]}, which is not there; install it, or give false")
    return True


def compile_parts(model: nn.Module) -> None:
    """Compile the networks of a model when they are first called; they keep their names and parameters.

    nn.Module.compile leaves torch's own classes as they are, nn.Sequential among them: their code is not traced from
    its outermost frame. So each part gets an outer frame here. A graph for each shape, and none left from a run
    before, so that kernels do not depend on what else a process did.
    """
    torch.compiler.reset()
    for part in model.children():
        part.forward = torch.compile(_framed(part.forward), dynamic=False, options={"deterministic": True})


def _framed(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *inputs: forward(*inputs)

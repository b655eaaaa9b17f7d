"""Precision of a training's products: float32, TF32 or bf16 by autocast, and what `trainer.precision=auto` is."""

from __future__ import annotations

import torch

from lrx.core.bf16_support import quick_bf16


def training_precision(setting: str, device: torch.device, *, is_image: bool, before: str | None) -> str:
    """Return float32, tf32 or bf16 for a setting, which may be auto.

    auto is bf16 for images on a device that multiplies it quickly, else float32. A run that resumes keeps what it began
    with, also on another machine. is_image: whether observations are images, (C, H, W). before: precision stored in the
    checkpoint to resume from, "" in one of version 0.1.0, where auto was bf16 on CUDA alone; None: a new run.
    """
    if setting != "auto":
        return setting
    if before == "":
        return "bf16" if device.type == "cuda" else "float32"
    return before or ("bf16" if is_image and quick_bf16(device) else "float32")

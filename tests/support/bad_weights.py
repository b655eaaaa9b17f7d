"""Damaged, foreign and hostile weights of `lrx import`: how each is made, what is typed, what the refusal must say.

Each case begins with the finished run of bad_runs.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from lrx.training import checkpoint
from tests.support.bad_data import Case, Make, loop, npz
from tests.support.bad_runs import FIRST, RUN

SHAPE = ["dataset=helix", "model=vae", "network=mlp", "model.reconstruction=gaussian", "latent_dim=2", "name=x"]
IMPORT, IMPORT_SAFE = ["import", "weights=w.pt", *SHAPE], ["import", "weights=w.safetensors", *SHAPE]
SAFE_KEY = f'{{"{FIRST}": {{"dtype": "F32", "shape": [%s], "data_offsets": [0, 4]}}}}'


def weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Make:
    def make(folder: Path) -> None:
        torch.save(change(checkpoint.load(folder / RUN / "checkpoint.pt").model), folder / "w.pt")

    return make


def safe(content: bytes) -> Make:
    return lambda folder: (folder / "w.safetensors").write_bytes(content)


def safe_weights(change: Callable[[torch.Tensor], torch.Tensor]) -> Make:
    def make(folder: Path) -> None:
        model = checkpoint.load(folder / RUN / "checkpoint.pt").model
        safetensors.torch.save_file(
            {key: change(value).contiguous() for key, value in model.items()}, folder / "w.safetensors"
        )

    return make


def header(text: str, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text)) + text.encode() + body


WEIGHTS: dict[str, Case] = {
    "weights, numbered": (weights(lambda w: dict(enumerate(w.values()))), IMPORT, ["no names", "0, 1"]),
    "weights, an npz": (lambda folder: (folder / "w.pt").write_bytes(npz(w=np.zeros(3))), IMPORT, ["no state dict"]),
    "weights, a folder": (lambda folder: (folder / "w.pt").mkdir(), IMPORT, ["it is a folder"]),
    "weights, a loop": (lambda folder: loop(folder / "w.pt"), IMPORT, ["no such file"]),
    "weights, heads that do not join": (
        weights(
            lambda w: {
                f"encoder.{head}.{kind}": torch.zeros(2, width)
                for head, width in (("embedding", 4), ("log_var", 5))
                for kind in ("weight", "bias")
            }
        ),
        [*IMPORT, "layout=pythae_mlp"],
        ["do not join"],
    ),
    "safetensors, empty": (safe(b""), IMPORT_SAFE, ["w.safetensors", "no state dict"]),
    "safetensors, cut": (safe(safetensors.torch.save({FIRST: torch.ones(9)})[:-5]), IMPORT_SAFE, ["no state dict"]),
    "safetensors, a header of 4 EB": (safe(struct.pack("<Q", 2**62) + b"{}"), IMPORT_SAFE, ["no state dict"]),
    "safetensors, beyond its end": (safe(header(SAFE_KEY % 10**9, bytes(4))), IMPORT_SAFE, ["no state dict"]),
    "safetensors, too many numbers": (safe(header(SAFE_KEY % f"{2**62}, 4", bytes(4))), IMPORT_SAFE, ["no state dict"]),
    "safetensors, infinite": (safe_weights(lambda w: w * torch.inf), IMPORT_SAFE, ["not finite numbers"]),
}

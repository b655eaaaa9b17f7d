"""Model on which assays are timed: conv5 (Leeb et al. 2022, D = 24) on 3D Shapes, trained for a minute.

It is trained because standard errors depend on the weights, once, and stored beside the data; all sides of a benchmark
read the same weights.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from lrx.data.grid import GridDataset
from lrx.data.shapes3d import shapes3d
from lrx.models.layers.transposed_conv import TransposedConv
from lrx.models.layers.upsample_conv import UpsampleConv
from lrx.models.networks.conv5 import conv5
from lrx.models.vae import VAE
from lrx.training import checkpoint
from lrx.training.loop import TrainSettings, train

ROOT = os.environ.get("LRX_DATA", "data")
M = TypeVar("M", bound=nn.Module)
LATENTS, SHAPE = 24, (3, 64, 64)
STEPS, QUICK_STEPS = 300, 20


def shapes() -> GridDataset:
    return shapes3d(root=ROOT, source="auto")


def conv5_vae() -> VAE:
    """Return the untrained model with seeded weights."""
    torch.manual_seed(0)
    return VAE(
        network=conv5, observation_shape=SHAPE, latent_dim=LATENTS, reconstruction="bernoulli", variance=1.0, kl="exact"
    )


def train_settings(
    *,
    steps: int,
    batch_size: int,
    lr: float,
    checkpoint_every: int,
    log_every: int,
    precision: str = "float32",
    compiled: bool = False,
) -> TrainSettings:
    """Return settings of plain Adam on the CPU, as in configs/trainer/default.yaml."""
    return TrainSettings(
        steps=steps,
        batch_size=batch_size,
        lr=lr,
        betas=[0.9, 0.999],
        amsgrad=False,
        schedule="constant",
        warmup_steps=0,
        clip=None,
        precision=precision,
        compile=compiled,
        channels_last=True,
        checkpoint_every=checkpoint_every,
        log_every=log_every,
        device="cpu",
    )


def kept(quick: bool) -> Path:
    """Return the path of the checkpoint, trained if there is none. Call this before sides that read it start."""
    steps = QUICK_STEPS if quick else STEPS
    path = Path(ROOT) / "bench" / f"conv5-{steps}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = train_settings(steps=steps, batch_size=64, lr=1e-3, checkpoint_every=steps, log_every=steps)
    train(conv5_vae(), shapes(), settings, seed=0, path=path, config="")
    return path


def trained(path: Path, *, plain: bool) -> VAE:
    """Return the model in evaluation mode, as in `lrx assay`, or plain: contiguous tensors and torch's own layers."""
    model = conv5_vae()
    model.load_state_dict(checkpoint.load(path).model)
    model.eval().requires_grad_(False)
    if plain:
        return of_torch(model)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def of_torch(model: M) -> M:
    """Replace the faster layers of lrx by torch's own, with the same weights."""
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, UpsampleConv):
                doubling = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
                setattr(parent, name, nn.Sequential(doubling, layer.conv))
            elif isinstance(layer, TransposedConv):
                layer.forward = functools.partial(nn.ConvTranspose2d.forward, layer)  # type: ignore[method-assign]
    return model

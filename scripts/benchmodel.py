"""The model that the assays are timed on: conv5 (Leeb et al. 2022, D = 24) on 3D Shapes, trained for a minute.

Trained, because standard errors depend on what a model has learnt. It is kept beside the data and trained once; every
side of a benchmark reads the same weights.
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
    """Seeded weights, as they begin."""
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
    """Plain Adam on the CPU, as configs/trainer/default.yaml has it."""
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
    """The checkpoint, trained now if there is none; to be called before sides that read it begin."""
    steps = QUICK_STEPS if quick else STEPS
    path = Path(ROOT) / "bench" / f"conv5-{steps}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = train_settings(steps=steps, batch_size=64, lr=1e-3, checkpoint_every=steps, log_every=steps)
    train(conv5_vae(), shapes(), settings, seed=0, device=torch.device("cpu"), path=path, config="")
    return path


def trained(path: Path, *, plain: bool) -> VAE:
    """The model in evaluation mode, as `lrx assay` has it, or plain: contiguous tensors and torch's own layers."""
    model = conv5_vae()
    model.load_state_dict(checkpoint.load(path).model)
    model.eval().requires_grad_(False)
    if plain:
        return of_torch(model)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def of_torch(model: M) -> M:
    """The same model with torch's own layers, as papers write them, in place of the quicker forms that lrx has."""
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, UpsampleConv):
                doubling = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
                setattr(parent, name, nn.Sequential(doubling, layer.conv))
            elif isinstance(layer, TransposedConv):
                layer.forward = functools.partial(nn.ConvTranspose2d.forward, layer)  # type: ignore[method-assign]
    return model

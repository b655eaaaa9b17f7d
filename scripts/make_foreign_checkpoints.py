"""Make the files of tests/data/foreign: checkpoints that pythae and disent write, and what they reconstruct.

    python3.11 -m venv other && . other/bin/activate
    pip install torch==2.13.0 numpy==2.4.6 pythae==0.1.2
    pip install --no-deps disent==0.8.0 lightning==2.6.6 pytorch-lightning==2.6.6
    pip install lightning-utilities==0.15.3 torchmetrics==1.9.0 h5py==3.16.0 packaging fsspec pyyaml tqdm
    python scripts/make_foreign_checkpoints.py tests/data/foreign

The packages build the networks, train a few steps, write the checkpoints and reconstruct. Before that, weights are
replaced by a short pattern that repeats, so that a file of 4 MB compresses to a few kB. disent imports torchvision for
parts that are not used here, and for which an empty module is enough.
"""

from __future__ import annotations

import lzma
import math
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

D, PERIOD, GAIN = 6, 61, 1.5
MEAN, STD = 0.25, 0.4  # as of disent's runs, which give images as (x - mean) / std


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    for make in (pythae_vae, pythae_ae, disent_betavae):
        name = make.__name__
        with tempfile.TemporaryDirectory() as temporary:
            arrays, written = make(Path(temporary))
            compressed = lzma.compress(written.read_bytes(), preset=9 | lzma.PRESET_EXTREME)
            (folder / f"{name}{written.suffix}.xz").write_bytes(compressed)
        np.savez_compressed(folder / f"{name}.npz", **{key: value.detach().numpy() for key, value in arrays.items()})
        print(f"{name}: {len(compressed):,} bytes")


def repeat_pattern(model: nn.Module) -> None:
    """Replace each weight by a repeated pattern of numbers, at the scale of a usual initialisation."""
    with torch.no_grad():
        for weight in model.parameters():
            fan_in = weight[0].numel() if weight.ndim > 1 else 100
            pattern = torch.randn(PERIOD).mul(GAIN / math.sqrt(fan_in))
            weight.copy_(pattern.repeat(-(-weight.numel() // PERIOD))[: weight.numel()].view_as(weight))


def images(channels: int, side: int) -> Tensor:
    """Return two smooth images (2, channels, side, side) in [0, 1]."""
    row, column = torch.meshgrid(torch.linspace(0, 1, side), torch.linspace(0, 1, side), indexing="ij")
    return torch.stack([(row + column) / 2, row * (1 - column)])[:, None].expand(2, channels, side, side).contiguous()


def pythae_vae(folder: Path) -> tuple[dict[str, Tensor], Path]:
    """The default architecture of pythae's VAEs."""
    from pythae.models import VAE, VAEConfig

    return saved_by_pythae(VAE(VAEConfig(input_dim=(1, 8, 8), latent_dim=D)), folder)


def pythae_ae(folder: Path) -> tuple[dict[str, Tensor], Path]:
    """The default architecture of pythae's deterministic autoencoders."""
    from pythae.models import AE, AEConfig

    return saved_by_pythae(AE(AEConfig(input_dim=(1, 8, 8), latent_dim=D)), folder)


def saved_by_pythae(model: nn.Module, folder: Path) -> tuple[dict[str, Tensor], Path]:
    repeat_pattern(model)
    model.eval()
    model.save(str(folder))
    x = images(1, 8)
    codes = model.encoder(x).embedding
    return {"x": x, "codes": codes, "reconstruction": model.decoder(codes).reconstruction}, folder / "model.pt"


def disent_betavae(folder: Path) -> tuple[dict[str, Tensor], Path]:
    """disent's BetaVae with its default loss, in a Lightning checkpoint."""
    names = ["torchvision", *(f"torchvision.{part}" for part in ("datasets", "models", "transforms"))]
    names.append("torchvision.transforms.functional")
    with mock.patch.dict(sys.modules, {name: mock.MagicMock() for name in names}):
        import lightning
        from disent.frameworks.vae import BetaVae
        from disent.model import AutoEncoder
        from disent.model.ae import DecoderConv64, EncoderConv64

        shape = (1, 64, 64)
        parts = EncoderConv64(shape, z_size=D, z_multiplier=2), DecoderConv64(shape, z_size=D)
        settings = BetaVae.cfg(optimizer="adam", optimizer_kwargs={"lr": 1e-3}, loss_reduction="mean_sum", beta=4)
        model = BetaVae(model=AutoEncoder(*parts), cfg=settings)
        x = images(*shape[:2])
        batches = torch.utils.data.DataLoader([{"x_targ": (image,)} for image in x], batch_size=2)
        trainer = lightning.Trainer(max_steps=1, accelerator="cpu", logger=False, enable_checkpointing=False)
        trainer.fit(model, batches)
        repeat_pattern(model)
        trainer.save_checkpoint(folder / "betavae.ckpt", weights_only=True)  # without the optimiser
        model.eval()
        codes, standard = model.encode(x), model.encode((x - MEAN) / STD)
        reconstructions = {
            "reconstruction": model.decode(codes)[..., ::2, ::2],
            "standardised": model.decode(standard)[..., ::2, ::2] * STD + MEAN,
        }
        return {"x": x, "codes": codes, "codes_standardised": standard, **reconstructions}, folder / "betavae.ckpt"


if __name__ == "__main__":
    main(Path(sys.argv[1]))

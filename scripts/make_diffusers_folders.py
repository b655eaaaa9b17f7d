"""Make the folders of tests/data/diffusers: small random autoencoders that diffusers saves, and what they give.

    python3.11 -m venv other && . other/bin/activate
    pip install torch==2.13.0 numpy==2.4.6 diffusers==0.42.1
    python scripts/make_diffusers_folders.py tests/data/diffusers

For each class: `config.json` and `diffusion_pytorch_model.safetensors` as `save_pretrained` writes them, and
`values.npz` with images `x` in [0, 1], the codes of the package for them, raw and in the units in which a pipeline of
the package gives them to its diffusion model, and the images that it decodes from the raw codes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import diffusers
import numpy as np
import torch
from torch import Tensor, nn

SIDE = 16


def main(folder: Path) -> None:
    makers: tuple[Callable[[], nn.Module], ...] = (kl, kl_of_channels, tiny, dc, flux2, vq)
    for make in makers:
        torch.manual_seed(0)
        model = make().eval()
        place = folder / make.__name__
        if make is vq:  # refused for what its settings say
            model.save_config(place)
            continue
        nn.Module.to(model, torch.float32 if make in (tiny, dc) else torch.bfloat16).save_pretrained(place)
        model.float()
        row, column = torch.meshgrid(torch.linspace(0, 1, SIDE), torch.linspace(0, 1, SIDE), indexing="ij")
        x = torch.stack([row, column, row * column]), torch.stack([1 - row, column**2, row])
        with torch.no_grad():
            values = values_of(model, torch.stack(x))
        np.savez_compressed(place / "values.npz", **{key: value.numpy() for key, value in values.items()})
        print(make.__name__, sum(path.stat().st_size for path in place.iterdir()), "bytes")


def values_of(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Return images, codes, codes in units of the diffusion model, and decoded images in [-1, 1]."""
    z = codes_of(model.encode(2 * x - 1))
    return {"x": x, "raw": z, "codes": in_model_units(model, z), "decoded": model.decode(z).sample}


def codes_of(output: object) -> Tensor:
    """Return codes as the pipelines of diffusers take them: `retrieve_latents`, with `argmax` for the mode."""
    if hasattr(output, "latent_dist"):
        return output.latent_dist.mode()
    return output.latents if hasattr(output, "latents") else output.latent


def in_model_units(model: nn.Module, z: Tensor) -> Tensor:
    """Return codes as the pipelines of diffusers scale them."""
    config = model.config
    if isinstance(model, diffusers.AutoencoderKLFlux2):  # Flux2Pipeline
        b, c, h, w = z.shape  # its _patchify_latents and _unpatchify_latents, whose module needs transformers
        patches = z.view(b, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(b, 4 * c, h // 2, w // 2)
        mean = model.bn.running_mean.view(1, -1, 1, 1)
        std = torch.sqrt(model.bn.running_var.view(1, -1, 1, 1) + config.batch_norm_eps)
        patches = ((patches - mean) / std).reshape(b, c, 2, 2, h // 2, w // 2)
        return patches.permute(0, 1, 4, 2, 5, 3).reshape(b, c, h, w)
    if config.get("latents_mean") is not None:  # StableDiffusionXLImg2ImgPipeline.prepare_latents
        mean, std = (torch.tensor(config[key]).view(1, -1, 1, 1) for key in ("latents_mean", "latents_std"))
        return (z - mean) * config.scaling_factor / std
    return (z - (config.get("shift_factor") or 0.0)) * (config.get("scaling_factor") or 1.0)  # as StableDiffusion3


def kl(**settings: object) -> nn.Module:
    """As the autoencoders of Stable Diffusion 3 and FLUX.1."""
    return diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(4, 8),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=2,
        use_quant_conv=False,
        use_post_quant_conv=False,
        **({"scaling_factor": 1.5305, "shift_factor": 0.0609} | settings),
    )


def kl_of_channels() -> nn.Module:
    """With a mean and a deviation for each channel."""
    mean, std = [0.1, -0.2, 0.3, 0.0], [0.5, 1.5, 1.0, 2.0]
    return kl(scaling_factor=0.5, shift_factor=None, latents_mean=mean, latents_std=std)


def tiny() -> nn.Module:
    """As TAESD, with half of its stages."""
    return diffusers.AutoencoderTiny(
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
        latent_channels=4,
        shift_factor=0.1,
        scaling_factor=2.0,
    )


def dc() -> nn.Module:
    """As the deep compression autoencoder of Sana."""
    return diffusers.AutoencoderDC(
        latent_channels=4,
        attention_head_dim=4,
        encoder_block_types="ResBlock",
        decoder_block_types="ResBlock",
        encoder_block_out_channels=(4, 8),
        decoder_block_out_channels=(4, 8),
        encoder_layers_per_block=(1, 1),
        decoder_layers_per_block=(1, 1),
        encoder_qkv_multiscales=((), ()),
        decoder_qkv_multiscales=((), ()),
        scaling_factor=0.41407,
    )


def flux2() -> nn.Module:
    """As the autoencoder of FLUX.2, whose codes are normalised in patches of 2 x 2."""
    model = diffusers.AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(4, 8),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=2,
    )
    model.bn.running_mean.copy_(torch.randn(16) / 10)
    model.bn.running_var.copy_(1 + torch.rand(16))
    return model


def vq() -> nn.Module:
    """Codes of a codebook, which lrx refuses."""
    return diffusers.VQModel(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(4, 8),
        norm_num_groups=2,
        num_vq_embeddings=8,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))

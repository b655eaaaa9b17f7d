"""Codes of images, stored for comparing models with each other.

The same seed draws the same images for all models of one data set and split. A latent is active by KL where the KL of
its posterior from the standard normal is above 0.01 nat (what Duan et al. 2020, arXiv 1905.12614, call informative; the
number is that of their code), or without a posterior, where the variance of its codes is above 0.01 (active in the
sense of Burda et al. 2016, arXiv 1509.00519, section 5). N images, D latents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.core.progress import passes_shown
from lrx.core.settings import AssaySettings, setting, stored
from lrx.core.types import Array, AssayResult, Probabilistic
from lrx.responses.encoding import encode_images, image_order, kl_from_prior, posterior_of_images
from lrx.responses.finite import why_not_finite
from lrx.responses.measurement import Measurement

THRESHOLD = 0.01  # nat of KL, or squared latent units of variance


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of the codes."""

    num_images: int = setting(1000, "the same for all models of a data set, split and seed; at most all", at_least=2)
    batch_size: int | None = setting(None, "images per forward pass; null: what fits the memory", at_least=1)


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Encode images drawn without replacement.

    Arrays: `codes` (N, D), means where there is a posterior, with the images' indices as labels; `active_by_kl` (D,);
    `kl` (D,) of a model with a posterior, else `variance` (D,). Score: num_active_by_kl; 0 has a remark.
    ValueError for codes that are not finite.
    """
    images = image_order(m.dataset, m.generator)[: settings.num_images]
    with passes_shown(m.progress, len(images)):
        mean_ND, spread_D, spread = _encode(m, images)
    if not torch.isfinite(mean_ND).all():
        raise ValueError(f"codes must be finite: {why_not_finite(m.autoencoder)}")
    active_D = spread_D > THRESHOLD
    criterion = f"{'KL' if 'kl' in spread else 'variance'} above {THRESHOLD}"
    return AssayResult(
        arrays={
            "codes": Array(mean_ND.float().numpy(), ("image", "latent"), "latent", "codes of images"),
            "active_by_kl": Array(
                active_D.numpy().astype(np.uint8), ("latent",), "1", f"1 where active by KL: {criterion}"
            ),
            **spread,
        },
        coordinates={"image": images.numpy(), "latent": np.arange(m.num_latents)},
        scores={"num_active_by_kl": float(active_D.sum())},
        settings=stored(
            settings,
            num_images=len(images),
            batch_size=m.batch_size,
            remark=None if active_D.any() else f"no latent carries anything ({criterion}): the codes have collapsed",
        ),
    )


def _encode(m: Measurement, images: Tensor) -> tuple[Tensor, Tensor, dict[str, Array]]:
    """Codes (N, D) of images in float64 on the CPU, and their KL or variance (D,), also as an array."""
    if isinstance(m.autoencoder, Probabilistic):
        posterior = posterior_of_images(m.autoencoder, m.dataset, images, batch_size=m.batch_size)
        mean_ND, std_ND = (part.cpu().double() for part in posterior)
        kl_D = kl_from_prior(mean_ND, std_ND).mean(0)
        kl = Array(kl_D.numpy(), ("latent",), "nat", "KL of the posterior from the standard normal")
        return mean_ND, kl_D, {"kl": kl}
    mean_ND = encode_images(m.autoencoder, m.dataset, images, batch_size=m.batch_size).cpu().double()
    variance_D = mean_ND.var(0, correction=0)
    variance = Array(variance_D.numpy(), ("latent",), "latent^2", "variance of the codes")
    return mean_ND, variance_D, {"variance": variance}

"""Codes of images as they are: for comparing models with each other, which no assay of one model can do.

The same seed draws the same images for all models of one data set and split. A latent is informative where the KL of
its posterior from the standard normal is above 0.01 nat (Duan et al. 2020, arXiv 1905.12614; the number is that of
their code), or without a posterior, where the variance of its codes is above 0.01 (active in the sense of Burda et al.
2016, arXiv 1509.00519, section 5). N images, D latents.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from lrx.checks import is_whole
from lrx.codes import encode_images, fitting_batch_size, image_order, posterior_of_images
from lrx.types import Array, AssayResult, Autoencoder, Dataset, Probabilistic

INFORMATIVE = 0.01  # nat of KL, or squared latent units of variance


def codes(
    autoencoder: Autoencoder,
    dataset: Dataset,
    generator: torch.Generator,
    *,
    num_images: int,
    batch_size: int | None,
    progress: Callable[[int, int], None] | None = None,
) -> AssayResult:
    """Encode images drawn without replacement: all of a data set that has fewer than `num_images`.

    batch_size: images per forward pass, None for one that fits the memory; changes no result beyond rounding.
    progress: called when encoding begins and when it is done.

    Arrays: `codes` (N, D), means where there is a posterior, with the images' indices as labels; `informative` (D,);
    `kl` (D,) of a model with a posterior, else `variance` (D,). Score: num_informative.
    ValueError for a setting out of range, or codes that are not finite.
    """
    if not is_whole(num_images, 2):
        raise ValueError(f"assay.num_images must be a whole number of at least 2, not {num_images!r}")
    if batch_size is not None and not is_whole(batch_size, 1):
        raise ValueError(f"assay.batch_size must be null or a whole number of at least 1, not {batch_size!r}")
    report = progress or (lambda done, total: None)
    report(0, 1)
    images = image_order(dataset, generator)[:num_images]
    batch_size = batch_size or fitting_batch_size(dataset.observation_shape)
    latent = ("latent",)
    if isinstance(autoencoder, Probabilistic):
        posterior = posterior_of_images(autoencoder, dataset, images, batch_size=batch_size)
        mean_ND, std_ND = (part.cpu().double() for part in posterior)
        spread_D = 0.5 * (mean_ND.square() + std_ND.square() - 2 * std_ND.log() - 1).mean(0)
        spread = {"kl": Array(spread_D.numpy(), latent, "nat", "KL of the posterior from the standard normal")}
    else:
        mean_ND = encode_images(autoencoder, dataset, images, batch_size=batch_size).cpu().double()
        spread_D = mean_ND.var(0, correction=0)
        spread = {"variance": Array(spread_D.numpy(), latent, "latent^2", "variance of the codes")}
    if not torch.isfinite(mean_ND).all():
        raise ValueError("codes must be finite: the model's weights hold NaN, or its codes overflow")
    report(1, 1)
    informative_D = spread_D > INFORMATIVE
    told = f"1 where {'the KL' if 'kl' in spread else 'the variance'} is above {INFORMATIVE}"
    arrays = {
        "codes": Array(mean_ND.float().numpy(), ("image", "latent"), "latent", "codes of images"),
        "informative": Array(informative_D.numpy().astype(np.uint8), latent, "1", told),
        **spread,
    }
    return AssayResult(
        arrays=arrays,
        coordinates={"image": images.numpy(), "latent": np.arange(mean_ND.shape[1])},
        scores={"num_informative": float(informative_D.sum())},
        settings={"num_images": len(images), "batch_size": batch_size},
    )

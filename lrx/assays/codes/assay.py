"""Codes of images as they are: for comparing models with each other, which no assay of one model can do.

The same seed draws the same images for all models of one data set and split. A latent is carrying where the KL of its
posterior from the standard normal is above 0.01 nat (what Duan et al. 2020, arXiv 1905.12614, call informative; the
number is that of their code), or without a posterior, where the variance of its codes is above 0.01 (active in the
sense of Burda et al. 2016, arXiv 1509.00519, section 5). N images, D latents.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from lrx.core.types import Array, AssayResult, Autoencoder, Dataset, Probabilistic
from lrx.core.validation import check_batch_size, check_whole
from lrx.responses.encoding import encode_images, fitting_batch_size, image_order, kl_from_prior, posterior_of_images

CARRYING = 0.01  # nat of KL, or squared latent units of variance


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

    Arrays: `codes` (N, D), means where there is a posterior, with the images' indices as labels; `carrying` (D,);
    `kl` (D,) of a model with a posterior, else `variance` (D,). Score: num_carrying; 0 has a remark.
    ValueError for a setting out of range, or codes that are not finite.
    """
    check_whole("num_images", num_images, 2)
    check_batch_size(batch_size)
    report = progress or (lambda done, total: None)
    report(0, 1)
    images = image_order(dataset, generator)[:num_images]
    batch_size = batch_size or fitting_batch_size(dataset.observation_shape)
    latent = ("latent",)
    if isinstance(autoencoder, Probabilistic):
        posterior = posterior_of_images(autoencoder, dataset, images, batch_size=batch_size)
        mean_ND, std_ND = (part.cpu().double() for part in posterior)
        spread_D = kl_from_prior(mean_ND, std_ND).mean(0)
        spread = {"kl": Array(spread_D.numpy(), latent, "nat", "KL of the posterior from the standard normal")}
    else:
        mean_ND = encode_images(autoencoder, dataset, images, batch_size=batch_size).cpu().double()
        spread_D = mean_ND.var(0, correction=0)
        spread = {"variance": Array(spread_D.numpy(), latent, "latent^2", "variance of the codes")}
    if not torch.isfinite(mean_ND).all():
        raise ValueError("codes must be finite: the model's weights hold NaN, or its codes overflow")
    report(1, 1)
    carrying_D = spread_D > CARRYING
    rule = f"{'KL' if 'kl' in spread else 'variance'} above {CARRYING}"
    arrays = {
        "codes": Array(mean_ND.float().numpy(), ("image", "latent"), "latent", "codes of images"),
        "carrying": Array(carrying_D.numpy().astype(np.uint8), latent, "1", f"1 where carrying: {rule}"),
        **spread,
    }
    return AssayResult(
        arrays=arrays,
        coordinates={"image": images.numpy(), "latent": np.arange(mean_ND.shape[1])},
        scores={"num_carrying": float(carrying_D.sum())},
        settings={
            "num_images": len(images),
            "batch_size": batch_size,
            "remark": None if carrying_D.any() else f"no latent carries anything ({rule}): the codes have collapsed",
        },
    )

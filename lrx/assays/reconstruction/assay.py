"""Reconstruction: decode(encode(x)) against x, and what the posterior spends, latent by latent.

rec = cross-entropy of the pixels under the decoded ones, in nats, or the squared error, each summed over an image;
KL_j = E[KL(q(z_j | x) || N(0, 1))] in nats; -ELBO = rec + sum_j KL_j with the code at its mean, not at draws. A latent
is active where Var[mu_j(x)] is above a threshold (Burda et al. 2016, section 5). N images, D latents.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lrx.core.devices import to_device
from lrx.core.types import Array, AssayResult, Autoencoder, Dataset, Probabilistic, as_float
from lrx.core.validation import check_batch_size, check_not_negative, check_whole
from lrx.responses.encoding import (
    device_and_dtype_of,
    encode_images,
    eval_mode,
    fitting_batch_size,
    image_order,
    kl_from_prior,
    posterior_of_images,
)
from lrx.responses.stored_observations import as_stored, observation_axes, observation_unit


def reconstruction(
    autoencoder: Autoencoder,
    dataset: Dataset,
    generator: torch.Generator,
    *,
    num_images: int,
    active: float,
    shown: int,
    batch_size: int | None,
    progress: Callable[[int, int], None] | None = None,
) -> AssayResult:
    """Reconstruct images from the means of their codes.

    num_images: drawn from the generator; all where there are fewer. active: a latent's variance when it is active.
    shown: so many images are kept beside their reconstructions.
    progress: called with the images done, and all that there are.

    Scores: squared_error, cross_entropy (of images only; entropy, its least value, beside), kl and negative_elbo (of a
    model with a posterior), all per image with standard errors over images; active_units.
    Arrays over latents: mean_variance, kl_per_latent and its error. The setting `remark` says that no unit is active.
    ValueError for a setting out of range, or a posterior that is not a number.
    """
    _check(num_images, active, shown, batch_size)
    batch_size = batch_size or fitting_batch_size(dataset.observation_shape)
    indices_N = image_order(dataset, generator)[:num_images]
    shown = min(shown, len(indices_N))
    codes_ND = encode_images(autoencoder, dataset, indices_N, batch_size=batch_size)
    home = device_and_dtype_of(autoencoder)
    are_images = len(dataset.observation_shape) == 3

    parts: dict[str, list[Tensor]] = {}
    pairs: list[Tensor] = []
    for done in range(0, len(indices_N), batch_size):
        raw = to_device(dataset.raw(indices_N[done : done + batch_size]), home.device)
        x = as_float(raw).to(home)
        with eval_mode(autoencoder):
            y = autoencoder.decode(codes_ND[done : done + batch_size])
        for name, value_B in _errors(x, y, are_images).items():
            parts.setdefault(name, []).append(value_B.cpu())
        if done < shown:
            pairs.append(torch.stack([x, y], dim=1)[: shown - done].cpu())
        if progress is not None:
            progress(min(done + batch_size, len(indices_N)), len(indices_N))
    each = {name: torch.cat(values) for name, values in parts.items()}

    variance_D = codes_ND.double().var(0, correction=0).cpu()
    arrays = {"mean_variance": Array(variance_D.numpy(), ("latent",), "squared latent", "variance of the codes")}
    if isinstance(autoencoder, Probabilistic):
        mean_ND, std_ND = posterior_of_images(autoencoder, dataset, indices_N, batch_size=batch_size)
        kl_ND = kl_from_prior(mean_ND.double().cpu(), std_ND.double().cpu())
        each["kl"] = kl_ND.sum(1)
        if are_images:
            each["negative_elbo"] = each["cross_entropy"] + each["kl"]
        arrays["kl_per_latent"] = Array(kl_ND.mean(0).numpy(), ("latent",), "nat", "KL from the prior")
        arrays["kl_per_latent_se"] = Array(_se(kl_ND).numpy(), ("latent",), "nat", "standard error of kl_per_latent")
    scores: dict[str, float] = {}
    for name, value_N in each.items():
        scores[name], scores[f"{name}_se"] = float(value_N.mean()), float(_se(value_N))
    scores["active_units"] = float((variance_D > active).sum())

    stored = torch.cat(pairs)
    samples = np.stack([as_stored(stored[:, side]) for side in (0, 1)], axis=1)
    axes = ("image", "side", *observation_axes(samples[0, 0]))
    arrays["pair"] = Array(samples, axes, observation_unit(samples[0, 0]), "images and their reconstructions")
    return AssayResult(
        arrays=arrays,
        coordinates={"image": indices_N[:shown].numpy(), "side": np.array(["image", "reconstruction"])},
        scores=scores,
        settings={
            "num_images": len(indices_N),
            "active": float(active),
            "shown": shown,
            "batch_size": batch_size,
            "remark": _remark(variance_D, active, len(indices_N)),
        },
    )


def _errors(x: Tensor, y: Tensor, are_images: bool) -> dict[str, Tensor]:
    """Errors (B,) of reconstructions y against x, in float64; the entropy is the cross-entropy of x with itself."""
    x_BP, y_BP = x.double().flatten(1), y.double().flatten(1)
    found = {"squared_error": (x_BP - y_BP).square().sum(1)}
    if are_images:
        # torch bounds logarithms at -100, so that a pixel that is wrong for certain costs 100 nats
        found["cross_entropy"] = F.binary_cross_entropy(y_BP.clamp(0, 1), x_BP, reduction="none").sum(1)
        found["entropy"] = F.binary_cross_entropy(x_BP, x_BP, reduction="none").sum(1)
    return found


def _remark(variance_D: Tensor, active: float, num_images: int) -> str | None:
    """What a reader must know of codes none of which varies between images."""
    if num_images < 2 or (variance_D > active).any():
        return None
    largest = float(variance_D.max())
    return f"no latent is active, that is varies by more than {active:g} (the largest variance is {largest:.2g})"


def _se(value_N: Tensor) -> Tensor:
    """Standard errors of means over the first axis; NaN for a single image."""
    return value_N.std(0) / math.sqrt(len(value_N)) if len(value_N) > 1 else torch.full_like(value_N[0], math.nan)


def _check(num_images: int, active: float, shown: int, batch_size: int | None) -> None:
    for key, value in (("num_images", num_images), ("shown", shown)):
        check_whole(key, value, 1)
    check_not_negative("active", active)
    check_batch_size(batch_size)

"""Reconstruction: decode(encode(x)) compared with x, and the cost of the code, latent by latent.

rec = cross-entropy of the pixels under the decoded ones, in nats, or the squared error, each summed over an image;
KL_j = E[KL(q(z_j | x) || N(0, 1))] in nats; -ELBO = rec + sum_j KL_j with the code at its mean, not at draws. A unit is
active where Var[mu_j(x)] is above a threshold (Burda et al. 2016, section 5). N images, D latents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lrx.core.progress import passes_shown, step_of
from lrx.core.settings import AssaySettings, setting, stored
from lrx.core.statistics import mean_and_se
from lrx.core.types import Array, AssayResult, Probabilistic
from lrx.responses.encoding import (
    encode_images,
    eval_mode,
    image_order,
    kl_from_prior,
    observations,
    posterior_of_images,
)
from lrx.responses.measurement import Measurement
from lrx.responses.stored_observations import as_stored, observation_axes, observation_unit


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of the reconstruction."""

    num_images: int = setting(2048, "images, drawn from the seed; at most all", at_least=1)
    active: float = setting(
        0.01, "a unit is active where the variance of its means is above this (Burda et al. 2016)", at_least=0
    )
    shown: int = setting(12, "images that are stored and drawn above their reconstructions", at_least=1)
    batch_size: int | None = setting(None, "images per forward pass; null: what fits the memory", at_least=1)


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Reconstruct images from the means of their codes.

    Scores: squared_error, cross_entropy (of images only, with entropy, its lower bound), kl and negative_elbo (of a
    model with a posterior), all per image with standard errors over images; active_units.
    Arrays over latents: mean_variance, kl_per_latent and its error. The setting `remark` says that no unit is active,
    and how many decoded pixels lie outside [0, 1]. ValueError for a posterior that is not a number.
    """
    indices_N = image_order(m.dataset, m.generator)[: settings.num_images]
    shown = min(settings.shown, len(indices_N))
    with passes_shown(step_of(m.progress, 0, 2), len(indices_N)):
        codes_ND = encode_images(m.autoencoder, m.dataset, indices_N, batch_size=m.batch_size)
    errors, pairs = _reconstruct(m, indices_N, codes_ND, shown)
    outside_N = errors.pop("outside", torch.zeros(1))
    variance_D = codes_ND.double().var(0, correction=0).cpu()
    arrays = {"mean_variance": Array(variance_D.numpy(), ("latent",), "squared latent", "variance of the codes")}
    if isinstance(m.autoencoder, Probabilistic):
        mean_ND, std_ND = posterior_of_images(m.autoencoder, m.dataset, indices_N, batch_size=m.batch_size)
        kl_ND = kl_from_prior(mean_ND.double().cpu(), std_ND.double().cpu())
        errors["kl"] = kl_ND.sum(1)
        if "cross_entropy" in errors:
            errors["negative_elbo"] = errors["cross_entropy"] + errors["kl"]
        arrays["kl_per_latent"] = Array(kl_ND.mean(0).numpy(), ("latent",), "nat", "KL from the prior")
        arrays["kl_per_latent_se"] = Array(mean_and_se(kl_ND)[1], ("latent",), "nat", "standard error of kl_per_latent")
    scores: dict[str, float] = {}
    for name, value_N in errors.items():
        scores[name], scores[f"{name}_se"] = float(value_N.mean()), float(mean_and_se(value_N)[1])
    scores["active_units"] = float((variance_D > settings.active).sum())
    axes = ("image", "side", *observation_axes(pairs[0, 0]))
    arrays["pair"] = Array(pairs, axes, observation_unit(pairs[0, 0]), "images and their reconstructions")
    return AssayResult(
        arrays=arrays,
        coordinates={"image": indices_N[:shown].numpy(), "side": np.array(["image", "reconstruction"])},
        scores=scores,
        settings=stored(
            settings,
            num_images=len(indices_N),
            active=float(settings.active),
            shown=shown,
            batch_size=m.batch_size,
            remark=_remark(variance_D, settings.active, outside_N),
        ),
    )


def _reconstruct(
    m: Measurement, indices_N: Tensor, codes_ND: Tensor, shown: int
) -> tuple[dict[str, Tensor], np.ndarray]:
    """Errors (N,) by name, and the first images with their reconstructions (shown, 2, *shape) as stored."""
    are_images = len(m.dataset.observation_shape) == 3
    progress = step_of(m.progress, 1, 2)
    parts: dict[str, list[Tensor]] = {}
    pairs: list[Tensor] = []
    for start in range(0, len(indices_N), m.batch_size):
        x = observations(m.autoencoder, m.dataset, indices_N[start : start + m.batch_size])
        with eval_mode(m.autoencoder):
            y = m.autoencoder.decode(codes_ND[start : start + m.batch_size])
        for name, value_B in _errors(x, y, are_images).items():
            parts.setdefault(name, []).append(value_B.cpu())
        if start < shown:
            pairs.append(torch.stack([x, y], dim=1)[: shown - start].cpu())
        progress(min(start + m.batch_size, len(indices_N)), len(indices_N))
    both = torch.cat(pairs)
    stored_pairs = np.stack([as_stored(both[:, side]) for side in (0, 1)], axis=1)
    return {name: torch.cat(values) for name, values in parts.items()}, stored_pairs


def _errors(x: Tensor, y: Tensor, are_images: bool) -> dict[str, Tensor]:
    """Errors (B,) of reconstructions y of x, in float64; the entropy is the cross-entropy of x with itself.

    The cross-entropy is that of y within [0, 1]; `outside` is the share of pixels that are not.
    """
    x_BP, y_BP = x.double().flatten(1), y.double().flatten(1)
    errors = {"squared_error": (x_BP - y_BP).square().sum(1)}
    if are_images:
        # torch bounds logarithms at -100: a pixel that is wrong with certainty costs 100 nats
        errors["outside"] = ((y_BP < 0) | (y_BP > 1)).double().mean(1)
        errors["cross_entropy"] = F.binary_cross_entropy(y_BP.clamp(0, 1), x_BP, reduction="none").sum(1)
        errors["entropy"] = F.binary_cross_entropy(x_BP, x_BP, reduction="none").sum(1)
    return errors


def _remark(variance_D: Tensor, active: float, outside_N: Tensor) -> str | None:
    """Remark on codes none of which varies between images, of which one cannot tell; and on pixels outside [0, 1]."""
    remarks = []
    if len(outside_N) > 1 and not (variance_D > active).any():
        largest = f"the largest variance is {float(variance_D.max()):.2g}"
        remarks.append(f"no latent is active, that is varies by more than {active:g} ({largest})")
    if outside_N.any():
        share = f"{100 * float(outside_N.mean()):.2g} % of decoded pixels are outside [0, 1]"
        remarks.append(f"{share}; cross-entropy and picture take them as 0 or 1, the squared error as they are")
    return "; ".join(remarks) or None

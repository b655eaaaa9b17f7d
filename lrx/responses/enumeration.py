"""Interventions on quantised latents: do(z_j := v) for each value v that latent j can take, and the weighted mean.

E_v[d^2] = sum_v w_jv d_v^2 is exact for each base point z, so that an estimate has the sampling error of z alone.
Weights: with base=prior all values weigh the same, in z and in v; from data each value weighs its frequency among the
codes of images, at least `IMAGES` times as many as there are base points, or all: their own sampling error is then
small beside that of z, and not part of standard errors. A value that z has already counts, with d = 0, as it does where
z and v are drawn independently.
N samples, D latents, V values of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lrx.core.devices import to_device
from lrx.core.types import Autoencoder, Quantized
from lrx.responses.encoding import encode_images, image_order
from lrx.responses.latent_response import intervene, respond
from lrx.responses.measurement import Measurement

IMAGES = 16  # images for each base point, over which frequencies are counted
NEAR = 1e-3  # of the distance between values: as near to one a code must be


@dataclass(frozen=True)
class Enumeration:
    """Values of each latent (D, V), on the model's device and in its dtype, and their weights (D, V), float64.

    weighting: in words, how the values are weighted, for results.
    """

    values_DV: Tensor
    weights_DV: Tensor
    weighting: str

    def step(self, z_ND: Tensor) -> Tensor:
        """Return the root of E_v[(v - z_j)^2] (N, D)."""
        square_NDV = (self.values_DV.double() - z_ND.double()[:, :, None]).square()
        return (square_NDV * to_device(self.weights_DV, z_ND.device)).sum(2).sqrt().to(z_ND.dtype)

    def changed(
        self, autoencoder: Autoencoder, z_ND: Tensor, h_ND: Tensor, latents: Sequence[int], *, batch_size: int
    ) -> tuple[Tensor, ...]:
        """Return for each of these latents h(z) (N, D) plus the root of E_v[d^2], float64 on the CPU.

        What is made of responses after interventions are squares of their change, of which this has the mean.
        """
        changed = []
        for latent in latents:
            weights_V = self.weights_DV[latent]
            values_V = self.values_DV[latent, weights_V.nonzero()[:, 0]]
            set_ND = intervene(z_ND.repeat(len(values_V), 1), latent, values_V.repeat_interleave(len(z_ND)))
            after_ND = respond(autoencoder, set_ND, batch_size=batch_size).cpu()
            square_VND = (after_ND.view(-1, *h_ND.shape).double() - h_ND.double()).square()
            mean_ND = torch.einsum("v,vnd->nd", weights_V[weights_V > 0], square_VND)
            changed.append(h_ND.double() + mean_ND.sqrt())
        return tuple(changed)


def enumeration(m: Measurement, *, base: str, num_samples: int) -> Enumeration | None:
    """Return the values to set, and their weights for `num_samples` base points; None for continuous latents.

    None also for units of several latents, whose values are drawn together. ValueError for values of a wrong shape,
    or codes that are none of them.
    """
    values_DV = latent_values(m)
    if values_DV is None or not m.units.are_elements:
        return None
    latents, number = values_DV.shape
    if base == "prior":
        weights_DV = torch.full((latents, number), 1 / number, dtype=torch.float64)
        return Enumeration(values_DV, weights_DV, f"each of {number}, equal weights")
    images = image_order(m.dataset, m.generator)[: IMAGES * num_samples]
    codes_ND = encode_images(m.autoencoder, m.dataset, images, batch_size=m.batch_size)
    counts_DV = torch.zeros(latents, number, dtype=torch.float64)
    for part_BD in torch.split(codes_ND, 1024):
        distance_BDV = (part_BD[:, :, None] - values_DV).abs()
        _check_near(m, distance_BDV.amin(2), values_DV)
        counts_DV += torch.nn.functional.one_hot(distance_BDV.argmin(2), number).sum(0).cpu()
    weighting = f"each of {number}, weighted by frequency in {len(images)} images"
    return Enumeration(values_DV, counts_DV / len(images), weighting)


def latent_values(m: Measurement) -> Tensor | None:
    """Return the values (D, V) of a model with quantised latents; None for others. ValueError for a wrong shape."""
    if not isinstance(m.autoencoder, Quantized):
        return None
    values_DV = m.autoencoder.latent_values().detach().to(m.device_and_dtype)
    if values_DV.ndim != 2 or values_DV.shape[0] != m.num_latents or not values_DV.isfinite().all():
        raise ValueError(
            f"latent_values gives {tuple(values_DV.shape)}, not finite values of each of {m.num_latents} latents, "
            f"({m.num_latents}, V)"
        )
    return values_DV


def of_prior(m: Measurement, normal_xD: Tensor) -> Tensor:
    """Return points (..., D) of the prior for standard normal numbers: these, or of quantised latents the value of the
    same rank, so that each has the same chance."""
    values_DV = latent_values(m)
    if values_DV is None:
        return normal_xD.to(m.device_and_dtype)
    latents, number = values_DV.shape
    places_xD = (torch.special.ndtr(normal_xD.double()) * number).long().clamp(0, number - 1)
    return values_DV[torch.arange(latents, device=values_DV.device), places_xD]


def has_own_scale(m: Measurement) -> bool:
    """Return whether latents have scales of their own, not the unit variance for which thresholds are meant.

    So it is with codes of a map, and with quantised latents; responses then count by the step that they answer.
    """
    return len(m.latent_shape) > 1 or isinstance(m.autoencoder, Quantized)


def num_values(values: Enumeration | None) -> int:
    """Return how many values each latent is set to at each base point: V, or the 1 that is drawn."""
    return values.values_DV.shape[1] if values else 1


def weighting(values: Enumeration | None) -> dict[str, str]:
    """Return `values` for the settings of a result: which are set, and how they weigh; nothing where they are drawn."""
    return {"values": values.weighting} if values else {}


def unit_of(m: Measurement) -> Tensor | float:
    """Return the unit in which thresholds of responses count: 1, as of codes with the variance 1.

    Of quantised latents, whose scale is arbitrary, it is the standard deviation of their values, float64 (U,), of a
    unit of several the root mean square of theirs.
    """
    values_DV = latent_values(m)
    if values_DV is None:
        return 1.0
    spread_D = values_DV.double().std(1, correction=0).cpu()
    spread_D = torch.where(spread_D > 0, spread_D, 1.0)
    return spread_D if m.units.are_elements else m.units.pooled(spread_D.square()).sqrt()


def check_continuous(m: Measurement, assay: str, reason: str) -> None:
    """Check that latents are continuous; ValueError says why the assay needs that, and which assays serve others."""
    if isinstance(m.autoencoder, Quantized):
        raise ValueError(
            f"{assay} {reason}, and latents of this model take {m.autoencoder.latent_values().shape[1]} values each, "
            "between which h is constant; assay=response_matrix and assay=traversal set each value"
        )


def _check_near(m: Measurement, distance_BD: Tensor, values_DV: Tensor) -> None:
    spread_D = values_DV.amax(1) - values_DV.amin(1)
    wrong = distance_BD > NEAR * spread_D / max(1, values_DV.shape[1] - 1) + 1e-6 * values_DV.abs().amax(1)
    if wrong.any():
        latent = int(wrong.any(0).nonzero()[0])
        raise ValueError(
            f"encode gives codes of latent {latent} that are {float(distance_BD.max()):.2g} away from its nearest "
            "value; latent_values must hold every value that a code can have"
        )

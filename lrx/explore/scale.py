"""Scales of the sliders: what the values of a unit are relative to, the range of each, and their order.

Latents of a vector have their own values. Units of codes (channel, y, x) move in standard deviations over images from
their mean, as in traversals (`lrx.assays.traversal`). N images, D latents, U units.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from lrx.core.types import Probabilistic
from lrx.responses.draws import AUTO, base_of
from lrx.responses.enumeration import enumeration, has_own_scale, num_values
from lrx.responses.latent_response import respond
from lrx.responses.measure_matrix import measure_matrix
from lrx.responses.measurement import Measurement

IMAGES = 256  # whose codes give ranges and scales, at most
PRIOR = 3.0  # standard deviations of the prior that a slider shows at least
BEYOND = 3.0  # standard deviations of the codes on either side of their mean
SECONDS, MOST_DRAWS, LEAST_DRAWS = 2.0, 64, 4  # of the responses that order the sliders


@dataclass(frozen=True)
class Scale:
    """Values of units: (z - centre) / spread of their latents, whose mean they are.

    centre_D, spread_D: float64 (D,). low_U, high_U: range of each slider (U,).
    """

    centre_D: Tensor
    spread_D: Tensor
    low_U: Tensor
    high_U: Tensor


def scale_of(m: Measurement, codes_ND: Tensor) -> Scale:
    """Return the scale for codes of images (N, D)."""
    codes_ND = codes_ND.double().cpu()
    centre_D, spread_D = torch.zeros(m.num_latents, dtype=torch.float64), torch.ones(m.num_latents, dtype=torch.float64)
    if len(m.latent_shape) > 1:
        std_D = codes_ND.std(0, correction=0)
        centre_D, spread_D = codes_ND.mean(0), torch.where(std_D > 0, std_D, 1.0)
    values_NU = m.units.pooled((codes_ND - centre_D) / spread_D)
    mean_U, reach_U = values_NU.mean(0), BEYOND * values_NU.std(0, correction=0)
    low_U = torch.minimum(values_NU.amin(0), mean_U - reach_U)
    high_U = torch.maximum(values_NU.amax(0), mean_U + reach_U)
    if bool((values_NU >= 0).all()):  # codes such as those of sparse autoencoders
        low_U = torch.zeros_like(low_U)
    if isinstance(m.autoencoder, Probabilistic) or len(m.latent_shape) > 1:
        low_U, high_U = low_U.clamp(max=-PRIOR), high_U.clamp(min=PRIOR)
    flat_U = high_U - low_U <= 0
    return Scale(centre_D, spread_D, torch.where(flat_U, low_U - 1, low_U), torch.where(flat_U, high_U + 1, high_U))


def order_units(m: Measurement, codes_ND: Tensor) -> tuple[Tensor, str]:
    """Return what orders the units, the largest first (U,), and what it is in words.

    Responses to themselves over some draws, as many as two seconds allow; of more units than that the spread of codes.
    """
    draws = _draws_in_time(m, codes_ND)
    if draws < LEAST_DRAWS:
        return m.units.pooled(codes_ND.double().cpu().std(0, correction=0)), "spread of codes over images"
    matrix = measure_matrix(m, base=base_of(m, AUTO), num_samples=draws)
    own_U = matrix.read_back()[0].nan_to_num(0.0) if has_own_scale(m) else matrix.self_responses("half")[0]
    return own_U, f"response to itself over {draws} draws made for this page"


def _draws_in_time(m: Measurement, codes_ND: Tensor) -> int:
    few_ND = codes_ND[: min(8, len(codes_ND))]
    respond(m.autoencoder, few_ND, batch_size=m.batch_size)  # the first pass of a size takes longer
    began = time.perf_counter()
    respond(m.autoencoder, few_ND, batch_size=m.batch_size)
    each = (time.perf_counter() - began) / len(few_ND)
    values = num_values(enumeration(m, base="prior", num_samples=1))
    return min(MOST_DRAWS, int(SECONDS / (each * (len(m.units) * values + 1))))

"""Controls of a response matrix: steps along random directions, beside those along the axes of single latents.

do(z := z + (v - z_j) d), d uniform on the sphere of the informative latents, with the steps of an axis row j; an axis
row has d along latent j. Of the change of response c = h(..) - h(z): `own` is the root mean square of c . d, `spread`
the share 1 - E[(c . d)^2] / E[|c|^2] of the squared response that leaves the direction, `pixels` the root mean square
change of the decoded observation. An axis is special where random directions of the same length spread more: its rank
among them, (1 + those with no more spread) / (1 + C), is a p-value. If the loop is an identity no axis is special: all
spread 0. N draws, D latents, C controls, L informative latents.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lrx.core.devices import to_device
from lrx.core.types import Array
from lrx.responses.delta_method import standard_error
from lrx.responses.draws import Draws, draws
from lrx.responses.encoding import eval_mode
from lrx.responses.measurement import Measurement
from lrx.responses.response_sums import products_of_row

NUM_DRAWS = 256  # at most
ROUNDING = 1e-6  # a spread below this is none
FEATURES = 4  # 1, (c . d)^2, |c|^2, mean squared change of the observation


def measure_controls(
    m: Measurement, *, base: str, latents: Sequence[int], num_controls: int, num_samples: int
) -> dict[str, Array]:
    """Return arrays over all latents and over controls.

    `axis_own`, `axis_spread`, `axis_pixels` and `axis_p` (D,) are NaN for latents that are not among `latents` (two or
    more); `control_own`, ... (C,), `control_direction` (C, D); all but `axis_p` with standard errors, `..._se`.
    """
    count = len(latents)
    normal_CL = torch.randn(num_controls, count, generator=m.generator, dtype=torch.float64)
    directions = torch.zeros(count + num_controls, m.num_latents, dtype=torch.float64)
    directions[torch.arange(count), torch.tensor(latents)] = 1
    directions[count:, list(latents)] = normal_CL / normal_CL.norm(dim=1, keepdim=True)
    steps_of = [*latents, *(latents[control % count] for control in range(num_controls))]
    products = torch.zeros(len(directions), FEATURES, FEATURES, dtype=torch.float64)
    lagged = torch.zeros_like(products)
    done, total = 0, num_samples * (len(directions) + 1)
    for block in draws(m, base=base):
        part = block.first(num_samples - done // (len(directions) + 1))
        for number, pair in enumerate(_sums(m, part, directions, steps_of)):
            products[number] += pair[0]
            if pair[1].numel():
                lagged[number] += pair[1]
        done += len(part) * (len(directions) + 1)
        m.progress(done, total)
        if done == total:
            break
    values = _values(products, lagged)
    arrays = {}
    for name, (value, se, unit, meaning) in values.items():
        for key, numbers in ((name, value), (f"{name}_se", se)):
            about = meaning if key == name else "its standard error"
            axis_D = torch.full((m.num_latents,), math.nan, dtype=torch.float64)
            axis_D[list(latents)] = numbers[:count]
            arrays[f"axis_{key}"] = Array(axis_D.numpy(), ("intervened",), unit, about)
            arrays[f"control_{key}"] = Array(numbers[count:].numpy(), ("control",), unit, about)
    spread = values["spread"][0]
    rank = 1 + (spread[None, count:] <= spread[:count, None]).sum(1)
    p_D = torch.full((m.num_latents,), math.nan, dtype=torch.float64)
    p_D[list(latents)] = rank.double() / (1 + num_controls)
    what = "share of directions, this axis among them, that spread no more than it does"
    arrays["axis_p"] = Array(p_D.numpy(), ("intervened",), "1", what)
    where = "random directions on the sphere of the informative latents"
    arrays["control_direction"] = Array(directions[count:].numpy(), ("control", "responding"), "1", where)
    return arrays


def _sums(m: Measurement, part: Draws, directions: Tensor, steps_of: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
    """Return products of features, and lagged ones or an empty tensor, of each direction over some draws."""
    x_N, h_ND = _pass(m, part.z_ND)
    sums = []
    for direction_D, latent in zip(directions, steps_of, strict=True):
        step_N = part.values_ND[:, latent] - part.z_ND[:, latent]
        set_ND = part.z_ND + step_N[:, None] * to_device(direction_D.to(part.z_ND.dtype), part.z_ND.device)
        y_N, after_ND = _pass(m, set_ND)
        change_ND = after_ND - h_ND
        pixels_N = (y_N - x_N).square().mean(1)
        own_N, all_N = (change_ND @ direction_D).square(), change_ND.square().sum(1)
        features_N1T = torch.stack([torch.ones_like(own_N), own_N, all_N, pixels_N], dim=-1)[:, None]
        partners_N = None if part.partners_ND is None else part.partners_ND[:, latent]
        products, lagged = products_of_row(features_N1T, partners_N, net=1)
        sums.append((products[0], lagged[0] if lagged.numel() else lagged))
    return sums


def _pass(m: Measurement, z_ND: Tensor) -> tuple[Tensor, Tensor]:
    """Return decoded observations, flat (N, P), and responses (N, D), float64 on the CPU."""
    observations, responses = [], []
    with eval_mode(m.autoencoder):
        for z_BD in torch.split(z_ND, m.batch_size):
            x_B = m.autoencoder.decode(z_BD)
            observations.append(x_B.flatten(1).double().cpu())
            responses.append(m.autoencoder.encode(x_B).double().cpu())
    return torch.cat(observations).clone(), torch.cat(responses).clone()


def _values(products: Tensor, lagged: Tensor) -> dict[str, tuple[Tensor, Tensor, str, str]]:
    """Return value and standard error of each quantity for every direction, its unit and meaning."""
    mean = products[:, 0] / products[:, 0, :1]
    own, pixels = mean[:, 1].sqrt(), mean[:, 3].sqrt()
    spread = torch.where(mean[:, 2] > 0, 1 - mean[:, 1] / mean[:, 2], math.nan)
    spread = torch.where(spread < ROUNDING, 0.0, spread)
    gradients = {name: torch.zeros_like(mean) for name in ("own", "spread", "pixels")}
    gradients["own"][:, 1] = torch.where(own > 0, 0.5 / own, 0.0)
    gradients["pixels"][:, 3] = torch.where(pixels > 0, 0.5 / pixels, 0.0)
    gradients["spread"][:, 1] = torch.where(mean[:, 2] > 0, -1 / mean[:, 2], 0.0)
    gradients["spread"][:, 2] = torch.where(mean[:, 2] > 0, mean[:, 1] / mean[:, 2].square(), 0.0)
    se = {name: standard_error(products, lagged, gradient) for name, gradient in gradients.items()}
    return {
        "own": (own, se["own"], "latent", "root mean square response along the direction that was set"),
        "spread": (spread, se["spread"], "1", "share of the squared response that leaves the direction"),
        "pixels": (pixels, se["pixels"], "1", "root mean square change of the decoded observation"),
    }

"""Latent response matrix: how far each latent's response moves when another latent is set.

M_jk = sqrt(c E[(h_k(do(z_j := v)) - h_k(z))^2]), row j intervened, column k responding (`lrx.responses.matrix`).
Source: Leeb et al. 2022 (arXiv 2106.16091), section 3. N draws, D latents, U units: latents that are set together, each
alone by default (`lrx.responses.units`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.assays.response_matrix.further_rows import further_rows
from lrx.assays.response_matrix.precision import is_mixed, precision_done, rounding_arrays, with_precision
from lrx.core.settings import AssaySettings, setting, stored
from lrx.core.types import Array, AssayResult, Probabilistic
from lrx.core.validation import SettingError, check_whole
from lrx.responses.adaptive import PILOT, Target, measure_to_target
from lrx.responses.bf16 import InBf16
from lrx.responses.draws import AUTO, BASE_MEANING, BASES, LEAST_QUASI, base_of, net_size
from lrx.responses.encoding import image_order, kl_from_prior, posterior_of_images
from lrx.responses.enumeration import check_continuous, has_own_scale, weighting
from lrx.responses.informative import (
    informative_array,
    informative_by_self_response,
    read_back_array,
    remark_on,
    remark_on_read_back,
)
from lrx.responses.long_steps import has_long_steps
from lrx.responses.matrix import AXES, SCALE, SCALES, ResponseMatrix
from lrx.responses.measure_matrix import GROUPS, add_draws
from lrx.responses.measure_mixed import measure_mixed
from lrx.responses.measurement import Measurement
from lrx.responses.mixed_matrix import MixedMatrix
from lrx.responses.shared_matrix import draws_arrays, matrix_arrays, step_arrays
from lrx.responses.units import MEANING, Units

MOST_DIMENSIONS = torch.quasirandom.SobolEngine.MAXDIM
ACTIVE = 0.01  # a unit is active above this variance of its posterior mean (Burda et al. 2016, section 5)
IMAGES = 1024  # images for the KL of each latent, at most


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of the response matrix."""

    units: str | list[list[int]] | None = setting(None, MEANING)
    base: str = setting(AUTO, BASE_MEANING, choices=(AUTO, *BASES))
    num_samples: int = setting(
        1024, f"draws, each used by every row; with a target: of the pilot, {PILOT} at most", at_least=2
    )
    normalization: str = setting(
        SCALE, "half: a perfect code gives the identity | none: the authors' scale | std", choices=SCALES
    )
    draws: str = setting(
        "quasi",
        f"quasi: scrambled Sobol nets of the prior, from {LEAST_QUASI} draws on, rounded up to nets | independent",
        choices=("quasi", "independent"),
    )
    precision: str = setting(
        "float32",
        "float32 | bf16: faster on some processors, its rounding is stored | mixed: bf16, and a few draws correct it",
        choices=("float32", "bf16", "mixed"),
    )
    target_se: float | None = setting(
        None, "each row gets the draws it needs until no standard error is above this", positive=True
    )
    target_relative_se: float | None = setting(None, "the same, as a share of the largest response", positive=True)
    max_samples: int = setting(16384, "upper limit of draws with a target", at_least=2)
    signed: bool = setting(False, "also the mean change of each response where v is above z, and below; N (D + 1) more")
    controls: int | None = setting(
        None, "also steps along this number of random directions, such as 20: are the axes special?", at_least=2
    )
    batch_size: int | None = setting(None, "responses per forward pass; null: what fits the memory", at_least=1)

    def check(self) -> None:
        """Check the limit of draws, and a scale that only single latents have."""
        if self.normalization == "std" and self.units not in (None, "element"):
            raise SettingError("normalization=std is of single latents; give half or none with units")
        if self.precision == "mixed" and self.has_target:
            raise SettingError(
                "precision=mixed has no target_se or target_relative_se; give num_samples, or float32 or bf16"
            )
        if self.has_target:
            check_whole("max_samples", self.max_samples, self.num_pilot, reason=", the draws of the pilot")

    @property
    def has_target(self) -> bool:
        """Return whether errors, and not num_samples, say how many draws each row gets."""
        return self.target_se is not None or self.target_relative_se is not None

    @property
    def num_pilot(self) -> int:
        """Number of draws of the pilot."""
        return min(self.num_samples, PILOT)

    @property
    def target(self) -> Target:
        """Target of the standard errors."""
        return Target(self.target_se, self.target_relative_se, self.normalization)


def estimate(m: Measurement, settings: Settings, *, num_groups: int = 0) -> ResponseMatrix:
    """Measure the response matrix with these settings, and keep so many groups of draws for a bootstrap.

    SettingError for a base that model or data cannot give, ValueError for responses that are not finite.
    """
    base, m = base_of(m, settings.base), m.with_units(settings.units)
    if settings.normalization == "std" and m.units.kind != "element":
        raise SettingError(f"normalization=std is of single latents, not of units={m.units.kind}; give half or none")
    quasi = takes_nets(m, settings, base)
    autoencoder = InBf16(m.autoencoder) if settings.precision == "bf16" else None
    if settings.has_target:
        return measure_to_target(
            m,
            base=base,
            target=settings.target,
            num_pilot=settings.num_pilot,
            max_samples=settings.max_samples,
            quasi=quasi,
            num_groups=num_groups,
            autoencoder=autoencoder,
        )
    net = net_size(settings.num_samples) if quasi else 1
    num_samples = -(-settings.num_samples // net) * net
    if is_mixed(m, settings.precision):
        with_std = settings.normalization == "std"
        return measure_mixed(m, base=base, num_samples=num_samples, net=net, num_groups=num_groups, with_std=with_std)
    matrix = _empty(m, settings, base=base, net=net, num_groups=min(num_groups, GROUPS, num_samples // net))
    return add_draws(m, matrix, num_samples=num_samples, autoencoder=autoencoder)


def takes_nets(m: Measurement, settings: Settings, base: str) -> bool:
    """Return whether draws are quasi-random, where there are enough for nets."""
    fits = m.num_latents + int(m.units.sizes_U.max()) <= MOST_DIMENSIONS
    return settings.draws == "quasi" and base == "prior" and fits


def _empty(m: Measurement, settings: Settings, *, base: str, net: int = 1, num_groups: int = 0) -> ResponseMatrix:
    with_std = settings.normalization == "std"
    return ResponseMatrix(range(len(m.units)), m.units, base=base, net=net, num_groups=num_groups, with_std=with_std)


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Measure the response matrix (U, U), the standard error of each entry, and which units are informative.

    Arrays: matrix, matrix_se, mean_square (U, U), response_std, informative, step, read_back, read_back_se, num_draws,
    num_nets (U,), where the units lie, of a model with a posterior kl (U,), with bf16 rounding (U, U): the difference
    that it makes on some draws.
    Scores: num_informative (`lrx.responses.informative`), largest_se, num_active, rounding_error (largest rounding).
    Settings stored: what was done, such as num_samples (the most of a row), num_responses and target_reached; `remark`
    where no latent is informative.
    """
    if settings.signed:
        check_continuous(m, "signed=true", "takes values above and below that of z, never equal")
    if settings.controls:
        check_continuous(m, f"controls={settings.controls}", "steps along random directions")
    matrix = m.matrix or estimate(m, settings)
    scale = settings.normalization
    own_U, read_back_U = matrix.self_responses("none")[0], matrix.read_back()[0]
    own_scale = has_own_scale(m)
    arrays = {
        **matrix_arrays(matrix, scale),
        "mean_square": Array(matrix.mean_square().numpy(), AXES, "latent^2", "mean square of the change of response"),
        "response_std": Array(matrix.response_std().numpy(), AXES[1:], "latent", "standard deviation of h(z)"),
        "informative": read_back_array(read_back_U, AXES[1]) if own_scale else informative_array(own_U, AXES[1]),
        **step_arrays(matrix),
        **draws_arrays(matrix),
        **matrix.units.arrays(),
    }
    scores = {
        "num_informative": float(arrays["informative"].values.sum()),
        "largest_se": float(arrays["matrix_se"].values.max()),
    }
    if settings.precision == "bf16":
        arrays |= rounding_arrays(m.with_units(settings.units), base=matrix.base, scale=scale)
    elif isinstance(matrix, MixedMatrix):
        arrays |= matrix.rounding_arrays(scale)
    if "rounding" in arrays:
        scores["rounding_error"] = float(arrays["rounding"].values.max())
    arrays |= further_rows(m.with_units(settings.units), settings, matrix)
    if isinstance(m.autoencoder, Probabilistic):
        arrays["kl"], scores["num_active"] = _posterior(m, matrix.units, min(settings.num_samples, IMAGES))
    labels = matrix.units.labels
    return AssayResult(
        arrays=arrays,
        coordinates=_coordinates(labels, settings.controls if settings.controls and "axis_p" in arrays else 0),
        scores=scores,
        settings=stored(
            settings,
            units=matrix.units.kind,
            base=matrix.base,
            draws="quasi" if matrix.net > 1 else "independent",
            net=matrix.net,
            num_samples=matrix.num_samples,
            **precision_done(matrix, settings.precision),
            num_pilot=matrix.num_pilot,
            num_responses=matrix.num_responses,
            target_reached=settings.target.reached(matrix) if settings.has_target else None,
            long_steps=settings.has_target and has_long_steps(matrix),
            **weighting(matrix.values),
            batch_size=m.batch_size,
            remark=with_precision(_remark(m, own_U, read_back_U, settings), matrix, settings.precision),
        ),
    )


def _coordinates(labels: np.ndarray, num_controls: int) -> dict[str, np.ndarray]:
    controls = {"control": np.arange(num_controls)} if num_controls else {}
    return {"intervened": labels, "responding": labels, **controls}


def _remark(m: Measurement, own_U: Tensor, read_back_U: Tensor, settings: Settings) -> str | None:
    """Return what a reader must know: no unit is informative, or controls lack a plane to turn in."""
    if has_own_scale(m):
        return remark_on_read_back(read_back_U, of_map=len(m.latent_shape) > 1)
    remark = remark_on(own_U)
    if settings.controls and int(informative_by_self_response(own_U).sum()) < 2:
        remark = "; ".join(filter(None, [remark, "no controls: random directions need two informative latents"]))
    return remark


def _posterior(m: Measurement, units: Units, num_images: int) -> tuple[Array, float]:
    """Return the KL of each unit's posterior (U,), and the number of active units."""
    images = image_order(m.dataset, m.generator)[:num_images]
    posterior = posterior_of_images(m.autoencoder, m.dataset, images, batch_size=m.batch_size)
    mean_ND, std_ND = (part.cpu().double() for part in posterior)
    kl_U = units.pooled(kl_from_prior(mean_ND, std_ND).mean(0)) * units.sizes_U
    description = "KL of the posterior from the standard normal"
    num_active = float((units.pooled(mean_ND.var(0, correction=0)) > ACTIVE).sum())
    return Array(kl_U.numpy(), ("responding",), "nat", description), num_active

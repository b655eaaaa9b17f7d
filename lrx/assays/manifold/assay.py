"""Response in all D dimensions: its contraction, the number of directions that survive, and holes of the prior.

J is the Jacobian of h(z) = encode(decode(z)); u = h - z has the divergence tr J - D. Its singular values are the
spectrum: directions along the manifold survive (near 1), directions off it are flattened (near 0). Local dimension:
the number of singular values above `threshold`; participation ratio: (sum s^2)^2 / sum s^4, without a threshold.
With num_probes >= D products the full Jacobian costs no more than probes, and takes their place.
A derivative does not show jumps; so the response itself is compared along with it (`lrx.responses.plateaus`).
Holes: the prior mass where the divergence is >= 0, or where |u| is above a quantile of its values at codes of images.
Latents without information have |u| near |z_j|: so codes of a model with a posterior are drawn from it by default.
Source: Leeb et al. 2022 (arXiv 2106.16091), section 3. N points, D latents, K probes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.assays.manifold.holes import share, share_beyond
from lrx.core.progress import passes_shown
from lrx.core.settings import AssaySettings, setting, stored
from lrx.core.statistics import mean_and_se
from lrx.core.types import Array, AssayResult, Probabilistic
from lrx.core.validation import SettingError, is_number
from lrx.responses.encoding import encode_images, image_order, posterior_of_images
from lrx.responses.informative import CAUSES
from lrx.responses.jacobian import (
    full_jacobian,
    hutchinson_probes,
    loop_of,
    participation,
    probed_participation,
    probed_trace,
)
from lrx.responses.measurement import Measurement
from lrx.responses.plateaus import narrow_mismatch, plateaus, remark_on_mismatch, remark_on_plateaus
from lrx.responses.stored_observations import as_numbers

LEAST_PROBES = 8  # with fewer the ratio of estimates has a bias of its own size
POINTS = 64  # points whose Jacobians are in memory at once
SOURCES = {"prior": "prior points", "posterior": "codes of images"}
AXES = {"prior": "prior_point", "posterior": "image"}
ARRAYS = {  # unit and description
    "divergence": ("1", "divergence of u in all dimensions, tr J - D"),
    "divergence_se": ("1", "standard error of the divergence over probes"),
    "magnitude": ("latent", "length of u in all dimensions"),
    "participation": ("1", "participation ratio of the singular values of J"),
    "participation_bias": ("1", "bound of the bias that probes leave in the participation ratio"),
    "dimension": ("1", "number of singular values of J above the threshold"),
    "spectrum": ("1", "singular values of J, largest first"),
}
Measures = Mapping[str, Mapping[str, np.ndarray]]  # of each source, by name


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of the manifold."""

    num_points: int = setting(256, "prior points, and codes of images (at most all)", at_least=2)
    codes: str = setting(
        "auto",
        "of an image: sample from its posterior | mean | auto: sample where the model can",
        choices=("auto", "mean", "sample"),
    )
    jacobian: str = setting(
        "exact",
        "exact | hutchinson: num_probes products, without spectrum, where there are more latents than probes",
        choices=("exact", "hutchinson"),
    )
    num_probes: int = setting(
        16, "products of a point with hutchinson; their noise blurs holes too", at_least=LEAST_PROBES
    )
    threshold: float = setting(0.1, "a direction survives where its singular value is above this", at_least=0)
    quantile: float = setting(0.99, "|u| above this quantile of its values at codes of images is a hole")
    batch_size: int | None = setting(None, "responses per forward pass; null: what fits the memory", at_least=1)

    def check(self) -> None:
        """Check the quantile."""
        if not is_number(self.quantile) or not 0 < self.quantile < 1:
            raise SettingError(f"quantile must be a number between 0 and 1, not {self.quantile!r}")


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Measure J at `num_points` prior points, and at the codes of as many images (at most all).

    With jacobian=hutchinson there is no spectrum and no dimension; divergence and participation ratio are estimates at
    each point. Scores are means over points with standard errors, that of the participation ratio with the bias that
    probes leave. Those of the holes are binomial; that by |u| also
    includes the uncertainty of the quantile. The setting `remark` says where no direction survives, or
    where h jumps, which no Jacobian shows.
    SettingError for codes=sample without a posterior, ValueError for responses that are not finite.
    """
    probabilistic = isinstance(m.autoencoder, Probabilistic)
    if settings.codes == "sample" and not probabilistic:
        raise SettingError(f"codes=sample needs a posterior, and {type(m.autoencoder).__name__} has none")
    sample, exact = settings.codes != "mean" and probabilistic, _is_exact(m, settings)
    images = image_order(m.dataset, m.generator)[: settings.num_points]
    points = _points(m, images, settings.num_points, sample=sample)
    measures, seen = _measures(m, points, settings)
    arrays = {
        f"{name}_{source}": Array(
            values, (AXES[source], "rank")[: values.ndim], ARRAYS[name][0], f"{ARRAYS[name][1]}, at {source} points"
        )
        for source in SOURCES
        for name, values in measures[source].items()
    }
    for source, z_ND in points.items():
        arrays[f"z_{source}"] = Array(as_numbers(z_ND), (AXES[source], "latent"), "latent", f"{source} points")
    return AssayResult(
        arrays=arrays,
        coordinates={"image": images.numpy(), "rank": np.arange(1, m.num_latents + 1)},
        scores=_scores(measures, settings.quantile),
        settings=stored(
            settings,
            num_images=len(images),
            codes="sample" if sample else "mean",
            jacobian="exact" if exact else "hutchinson",
            num_probes=None if exact else settings.num_probes,
            threshold=settings.threshold if exact else None,
            batch_size=m.batch_size,
            remark=seen or _remark(measures),
        ),
    )


def _points(m: Measurement, images: Tensor, num_points: int, *, sample: bool) -> dict[str, Tensor]:
    """Points (N, D) of each source: draws from the prior, and codes of images (posterior draws, or means)."""
    noise_ND = torch.randn(num_points + len(images), m.num_latents, generator=m.generator, dtype=torch.float64)
    if sample:
        mean_ND, std_ND = posterior_of_images(m.autoencoder, m.dataset, images, batch_size=m.batch_size)
        codes_ND = mean_ND + std_ND * noise_ND[num_points:].to(mean_ND)
    else:
        codes_ND = encode_images(m.autoencoder, m.dataset, images, batch_size=m.batch_size)
    return {"prior": noise_ND[:num_points].to(codes_ND), "posterior": codes_ND}


def _is_exact(m: Measurement, settings: Settings) -> bool:
    return settings.jacobian == "exact" or settings.num_probes >= m.num_latents


def _measures(m: Measurement, points: Mapping[str, Tensor], settings: Settings) -> tuple[Measures, str | None]:
    """Measure the response at the points (N, D) of each source, `POINTS` at a time; also a remark on plateaus."""
    loop, exact = loop_of(m.autoencoder), _is_exact(m, settings)
    done, total = 0, sum(len(z_ND) for z_ND in points.values())
    number = m.num_latents if exact else settings.num_probes
    squares_D, sums = torch.zeros(m.num_latents, dtype=torch.float64), np.zeros(2)
    measures: dict[str, dict[str, np.ndarray]] = {}
    for source, z_ND in points.items():
        parts: list[dict[str, Tensor]] = []
        for z_BD in torch.split(z_ND, POINTS):
            with passes_shown(m.progress, total * number, done=done * number, most=(done + len(z_BD)) * number):
                if exact:
                    h_BD, jacobian_BDD = full_jacobian(loop, z_BD, batch_size=m.batch_size)
                    parts.append(_exact(z_BD, h_BD, jacobian_BDD.double(), settings.threshold))
                    products = torch.eye(m.num_latents).to(z_BD).expand_as(jacobian_BDD), jacobian_BDD.mT
                else:
                    h_BD, *pair = hutchinson_probes(loop, z_BD, number, generator=m.generator, batch_size=m.batch_size)
                    products = pair[0], pair[1]
                    parts.append(_probed(z_BD, h_BD, pair[0].double(), pair[1].double()))
            direction_BD = torch.randn(z_BD.shape, generator=m.generator, dtype=torch.float64)
            sums += narrow_mismatch(m.autoencoder, z_BD, products, direction_BD, batch_size=m.batch_size)
            squares_D += products[1].double().square().sum((0, 2)).cpu() * (1 if exact else 1 / number)
            done += len(z_BD)
        measures[source] = {name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]}
    z_ND, slope_D = torch.cat(list(points.values())), (squares_D / total).sqrt()
    remark = remark_on_plateaus(*plateaus(m.autoencoder, z_ND, slope_D, batch_size=m.batch_size))
    return measures, remark or remark_on_mismatch(*np.sqrt(sums / total / (1 if exact else number)))


def _exact(z_ND: Tensor, h_ND: Tensor, jacobian_NDD: Tensor, threshold: float) -> dict[str, Tensor]:
    """Measures at each point, by name, from full Jacobians."""
    spectrum_ND = torch.linalg.svdvals(jacobian_NDD)
    return {
        "divergence": jacobian_NDD.diagonal(dim1=1, dim2=2).sum(1) - z_ND.shape[1],
        "magnitude": torch.linalg.vector_norm(h_ND - z_ND, dim=1).double(),
        "participation": participation(spectrum_ND),
        "dimension": (spectrum_ND > threshold).sum(1),
        "spectrum": spectrum_ND,
    }


def _probed(z_ND: Tensor, h_ND: Tensor, v_NDK: Tensor, product_NDK: Tensor) -> dict[str, Tensor]:
    """Measures at each point, by name, from probes v and J^T v."""
    trace_N, trace_se_N = probed_trace(v_NDK, product_NDK)
    ratio_N, bias_N = probed_participation(product_NDK)
    return {
        "divergence": trace_N - z_ND.shape[1],
        "divergence_se": trace_se_N,
        "magnitude": torch.linalg.vector_norm(h_ND - z_ND, dim=1).double(),
        "participation": ratio_N,
        "participation_bias": bias_N,
    }


def _scores(measures: Measures, quantile: float) -> dict[str, float]:
    """Means over points, and shares of holes, each with its standard error."""
    prior, posterior = measures["prior"], measures["posterior"]
    pairs = {
        f"mean_{name}_{source}": _finite_mean_and_se(measures[source][name])
        for name in ("divergence", "magnitude", "participation", "dimension")
        for source in SOURCES
        if name in measures[source]
    }
    for source in SOURCES:
        if "participation_bias" in measures[source]:  # the mean over points averages noise out, and no bias
            value, se = pairs[f"mean_participation_{source}"]
            bias = float(mean_and_se(measures[source]["participation_bias"])[0])
            pairs[f"mean_participation_{source}"] = value, math.hypot(se, bias)
    pairs["holes_by_divergence"] = share(prior["divergence"] >= 0)
    pairs["holes_by_magnitude"] = share_beyond(prior["magnitude"], posterior["magnitude"], quantile)
    scores: dict[str, float] = {}
    for name, (value, se) in pairs.items():
        scores[name], scores[f"{name}_se"] = value, se
    return scores


def _finite_mean_and_se(values: np.ndarray) -> tuple[float, float]:
    """Mean over points where there is a finite value, and its standard error; NaN where points are too few."""
    mean, se = mean_and_se(values[np.isfinite(values)])
    return float(mean), float(se)


def _remark(measures: Measures) -> str | None:
    """Say where the Jacobian is 0 at all points of a source, which then has no participation ratio."""
    dead = [text for source, text in SOURCES.items() if np.isnan(measures[source]["participation"]).all()]
    if not dead:
        return None
    return (
        f"at all {' and '.join(dead)} the Jacobian is 0, as of {CAUSES}: no direction survives, and without one there "
        "is no participation ratio"
    )

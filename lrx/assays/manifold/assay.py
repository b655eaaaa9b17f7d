"""The response in all D dimensions: how much it contracts, how many directions survive, and where the prior has holes.

J is the Jacobian of h(z) = encode(decode(z)); u = h - z has the divergence tr J - D. Its singular values are the
spectrum: directions along the manifold survive (near 1), directions off it are flattened (near 0). Local dimension:
the number of singular values above `threshold`; participation ratio: (sum s^2)^2 / sum s^4, without a threshold.
Holes: the prior mass where the divergence is >= 0, or where |u| is above a quantile of its values at codes of images.
Latents that carry nothing have |u| near |z_j|: so codes of a model with a posterior are drawn from it, not its means.
Source: Leeb et al. 2022 (arXiv 2106.16091), section 3. N points, D latents, K probes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from lrx.core.types import Array, AssayResult, Autoencoder, Dataset, Probabilistic
from lrx.core.validation import SettingError, check_batch_size, check_choice, check_not_negative, check_whole, is_number
from lrx.responses.encoding import encode_images, fitting_batch_size, image_order, num_latents, posterior_of_images
from lrx.responses.jacobian import (
    Loop,
    full_jacobian,
    hutchinson_probes,
    loop_of,
    participation,
    probed_participation,
    probed_trace,
)
from lrx.responses.responsive import DEAD

CODES = ("auto", "mean", "sample")
JACOBIANS = ("exact", "hutchinson")
POINTS = 64  # points whose Jacobians are held at once
SOURCES = ("prior", "posterior")
AXES = {"prior": "prior_point", "posterior": "image"}
DESCRIBED = {
    "divergence": ("1", "divergence of u in all dimensions, tr J - D"),
    "divergence_se": ("1", "standard error of the divergence over probes"),
    "magnitude": ("latent", "length of u in all dimensions"),
    "participation": ("1", "participation ratio of the singular values of J"),
    "dimension": ("1", "number of singular values of J above the threshold"),
    "spectrum": ("1", "singular values of J, largest first"),
}


def manifold(
    autoencoder: Autoencoder,
    dataset: Dataset,
    generator: torch.Generator,
    *,
    num_points: int,
    codes: str,
    jacobian: str,
    num_probes: int,
    threshold: float,
    quantile: float,
    batch_size: int | None,
    progress: Callable[[int, int], None] | None = None,
) -> AssayResult:
    """Measure J at `num_points` prior points, and at the codes of as many images (at most all).

    codes: `sample`, a draw from the posterior of each image; `mean`, its mean; `auto`, `sample` where there is one.
    jacobian: `exact`, reverse mode, a row for each latent; `hutchinson`, `num_probes` products J v whatever D is:
    then without spectrum and dimension, divergence and participation ratio being estimates at each point, whose
    noise blurs the holes by divergence too.
    threshold: singular values above it count as surviving directions.
    quantile: |u| above this quantile of its values at codes of images is a hole.

    Scores are means over points with standard errors. Those of the holes are binomial; that by |u| also counts how
    uncertain the quantile is. The setting `remark` says where no direction survives.
    ValueError for a setting out of range, or responses that are not finite.
    """
    _check(num_points, jacobian, num_probes, threshold, quantile, batch_size)
    check_choice("codes", codes, CODES)
    probabilistic = isinstance(autoencoder, Probabilistic)
    if codes == "sample" and not probabilistic:
        raise SettingError(f"codes=sample needs a posterior, and {type(autoencoder).__name__} has none")
    batch_size = batch_size or fitting_batch_size(dataset.observation_shape)
    images = image_order(dataset, generator)[:num_points]
    latents = num_latents(autoencoder, dataset)
    noise_ND = torch.randn(num_points + len(images), latents, generator=generator, dtype=torch.float64)
    sampled = codes != "mean" and probabilistic
    if sampled:
        mean_ND, std_ND = posterior_of_images(autoencoder, dataset, images, batch_size=batch_size)
        codes_ND = mean_ND + std_ND * noise_ND[num_points:].to(mean_ND)
    else:
        codes_ND = encode_images(autoencoder, dataset, images, batch_size=batch_size)
    prior_ND = noise_ND[:num_points].to(codes_ND)

    loop = loop_of(autoencoder)
    total, done = num_points + len(images), 0
    found: dict[str, dict[str, np.ndarray]] = {}
    for source, z_ND in zip(SOURCES, (prior_ND, codes_ND), strict=True):
        parts: list[dict[str, Tensor]] = []
        for z_BD in torch.split(z_ND, POINTS):
            if jacobian == "exact":
                parts.append(_exact(loop, z_BD, threshold, batch_size))
            else:
                parts.append(_probed(loop, z_BD, num_probes, generator, batch_size))
            done += len(z_BD)
            if progress is not None:
                progress(done, total)
        found[source] = {name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]}

    arrays = {
        f"{name}_{source}": Array(
            values,
            (AXES[source], "rank")[: values.ndim],
            DESCRIBED[name][0],
            f"{DESCRIBED[name][1]}, at {source} points",
        )
        for source in SOURCES
        for name, values in found[source].items()
    }
    for source, z_ND in zip(SOURCES, (prior_ND, codes_ND), strict=True):
        arrays[f"z_{source}"] = Array(z_ND.cpu().numpy(), (AXES[source], "latent"), "latent", f"{source} points")
    return AssayResult(
        arrays=arrays,
        coordinates={"image": images.numpy(), "rank": np.arange(1, latents + 1)},
        scores=_scores(found, quantile),
        settings={
            "num_points": num_points,
            "num_images": len(images),
            "codes": "sample" if sampled else "mean",
            "jacobian": jacobian,
            "num_probes": num_probes if jacobian == "hutchinson" else None,
            "threshold": threshold if jacobian == "exact" else None,
            "quantile": quantile,
            "batch_size": batch_size,
            "remark": _remark(found),
        },
    )


def _remark(found: Mapping[str, Mapping[str, np.ndarray]]) -> str | None:
    """Why there is no participation ratio, where the Jacobian is 0 at all points of a source."""
    names = {"prior": "prior points", "posterior": "codes of images"}
    dead = [names[source] for source in SOURCES if np.isnan(found[source]["participation"]).all()]
    if not dead:
        return None
    return (
        f"at all {' and '.join(dead)} the Jacobian is 0, as of {DEAD}: no direction survives, and without one there is "
        "no participation ratio"
    )


def share(hits: np.ndarray) -> tuple[float, float]:
    """The share of hits (N,), and its binomial standard error at (hits + 1/2) / (N + 1): not 0 where nothing is hit."""
    likely = (hits.sum() + 0.5) / (len(hits) + 1)
    return float(hits.mean()), math.sqrt(likely * (1 - likely) / len(hits))


def share_beyond(prior: np.ndarray, posterior: np.ndarray, quantile: float) -> tuple[float, float]:
    """The share of prior values above a quantile of M posterior values, and its standard error.

    Beside the binomial error stands that of the quantile: half the change of the share from one standard error
    sqrt(q (1 - q) / M) of its rank below to one above.
    """
    rank_se = math.sqrt(quantile * (1 - quantile) / len(posterior))
    low, middle, high = np.quantile(posterior, np.clip([quantile - rank_se, quantile, quantile + rank_se], 0, 1))
    mass, binomial = share(prior > middle)
    return mass, math.hypot(binomial, ((prior > low).mean() - (prior > high).mean()) / 2)


def _exact(loop: Loop, z_ND: Tensor, threshold: float, batch_size: int) -> dict[str, Tensor]:
    """What is measured at each point, by name, from whole Jacobians."""
    h_ND, jacobian_NDD = full_jacobian(loop, z_ND, batch_size=batch_size)
    spectrum_ND = torch.linalg.svdvals(jacobian_NDD.double())
    return {
        "divergence": jacobian_NDD.double().diagonal(dim1=1, dim2=2).sum(1) - z_ND.shape[1],
        "magnitude": torch.linalg.vector_norm(h_ND - z_ND, dim=1).double(),
        "participation": participation(spectrum_ND),
        "dimension": (spectrum_ND > threshold).sum(1),
        "spectrum": spectrum_ND,
    }


def _probed(loop: Loop, z_ND: Tensor, count: int, generator: torch.Generator, batch_size: int) -> dict[str, Tensor]:
    """What is measured at each point, by name, from probes."""
    h_ND, v_NDK, jv_NDK = hutchinson_probes(loop, z_ND, count, generator=generator, batch_size=batch_size)
    trace_N, se_N = probed_trace(v_NDK.double(), jv_NDK.double())
    return {
        "divergence": trace_N - z_ND.shape[1],
        "divergence_se": se_N,
        "magnitude": torch.linalg.vector_norm(h_ND - z_ND, dim=1).double(),
        "participation": probed_participation(jv_NDK.double()),
    }


def _scores(found: dict[str, dict[str, np.ndarray]], quantile: float) -> dict[str, float]:
    scores: dict[str, float] = {}
    for name in ("divergence", "magnitude", "participation", "dimension"):
        for source in SOURCES:
            if name in found[source]:
                scores[f"mean_{name}_{source}"], scores[f"mean_{name}_{source}_se"] = _mean(found[source][name])
    prior, posterior = found["prior"], found["posterior"]
    holes = {
        "holes_by_divergence": share(prior["divergence"] >= 0),
        "holes_by_magnitude": share_beyond(prior["magnitude"], posterior["magnitude"], quantile),
    }
    for name, (mass, error) in holes.items():
        scores[name], scores[f"{name}_se"] = mass, error
    return scores


def _mean(values: np.ndarray) -> tuple[float, float]:
    """The mean over points where there is a value, and its standard error; NaN where points are too few."""
    finite = values[np.isfinite(values)]
    if len(finite) < 2:
        return float(finite.mean()) if len(finite) else math.nan, math.nan
    return float(finite.mean()), float(finite.std(ddof=1) / math.sqrt(len(finite)))


def _check(
    num_points: int, jacobian: str, num_probes: int, threshold: float, quantile: float, batch_size: int | None
) -> None:
    check_choice("jacobian", jacobian, JACOBIANS)
    for key, value in (("num_points", num_points), ("num_probes", num_probes)):
        check_whole(key, value, 2)
    check_not_negative("threshold", threshold)
    if not is_number(quantile) or not 0 < quantile < 1:
        raise SettingError(f"quantile must be a number between 0 and 1, not {quantile!r}")
    check_batch_size(batch_size)

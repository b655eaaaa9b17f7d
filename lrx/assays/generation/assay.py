"""Generation: distance of decoded samples from images, for each source of latents.

Sources: `prior` (`lrx.responses.enumeration.of_prior`); `hybrid`, each latent of encoded images shuffled independently;
`refined`, h applied n times to the same prior samples; `posterior`, encoder means of images, which decode to
reconstructions; `posterior_sample`, a draw from each of their posteriors. A sixth, `data`, is those images themselves:
the score of a perfect generator. All are compared with other images, in a space of features. Source: Leeb et al. 2022
(arXiv 2106.16091), sections 3 and 5. N samples of each source, D latents, K features.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.core.progress import WorkCounter, listening
from lrx.core.settings import AssaySettings, setting, stored
from lrx.core.statistics import mean_and_se
from lrx.core.types import Array, AssayResult, Autoencoder, Probabilistic, as_float
from lrx.core.validation import SettingError
from lrx.responses.encoding import encode_images, eval_mode, image_order, num_drawn, posterior_of_images
from lrx.responses.enumeration import of_prior
from lrx.responses.latent_response import respond
from lrx.responses.measurement import Measurement
from lrx.responses.stored_observations import as_stored, observation_axes, observation_unit
from lrx.sample_quality.distances import Estimate, compare, fewest_points
from lrx.sample_quality.factor_probe import check_probe_settings, factor_probe
from lrx.sample_quality.feature_spaces import (
    FeatureSpace,
    check_features,
    feature_scale,
    feature_space,
    resolve_features,
)

DESCRIPTIONS = {
    "frechet": ("squared feature", "Fréchet distance from held-out images"),
    "kernel": ("squared feature", "unbiased kernel distance (cubic MMD^2) from held-out images"),
    "precision": ("1", "share of samples among the nearest neighbours of held-out images"),
    "recall": ("1", "share of held-out images among the nearest neighbours of samples"),
    "mean_u": ("latent", "mean |h(z) - z| of the samples' latents"),
}


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of generation."""

    num_samples: int = setting(1024, "of each source, and held-out images", at_least=4)
    refinements: int = setting(4, "h is applied so often to prior samples", at_least=0)
    features: str = setting(
        "auto", "auto: probe where there are factors or labels, else pixels | pixels | probe | inception"
    )
    components: int = setting(32, "of pixels: the leading principal ones", at_least=1)
    neighbours: int = setting(3, "of precision and recall (Kynkäänniemi et al. 2019)", at_least=1)
    probe_steps: int = setting(400, "of training the probe network", at_least=1)
    cache: str | None = setting(
        None,
        "a folder that keeps the probe, trained once a data set; null: none",
        in_yaml="${oc.env:LRX_DATA,data}/probes",
    )
    inception: str | None = setting(
        None, "with features=inception: a weights file of the FID Inception (pytorch-fid's, torchvision's)"
    )
    shown: int = setting(8, "samples of each source that are drawn", at_least=1)
    batch_size: int | None = setting(None, "images or latents per forward pass; null: what fits the memory", at_least=1)

    def check(self) -> None:
        """Check the features and the settings of the probe."""
        check_features(self.features, self.inception)
        check_probe_settings(self.probe_steps, self.cache)


@dataclass(frozen=True)
class Source:
    """Samples of one source: features (N, K), |u| of their latents (N,), and the first samples as stored."""

    features: Tensor
    u: Tensor
    images: np.ndarray


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Score every source of latents against held-out images, which are not those that are encoded.

    There are fewer samples than `num_samples` where the data set has not twice as many images. Features are divided by
    `scale`, which gives those of images a mean variance of 1; those of Inception stay as they are, as in published
    distances. Those are of 50,000 samples; with fewer samples than Inception's 2048 features, frechet_bias
    underestimates the bias. The model has seen the held-out images in training unless it was trained with split=train.
    Arrays over `source`: frechet, frechet_bias (what finite samples add to the Fréchet distance: estimated, not
    subtracted), kernel, precision, recall, mean_u, and their errors; the same as scores, `frechet_prior`,
    `frechet_prior_se`. Standard errors of precision and recall are on the large side (see tests).
    ValueError for too few images, or a feature that the data set cannot give.
    """
    num_samples = _num_samples(m, settings)
    features = resolve_features(m.dataset, settings.features)
    order = image_order(m.dataset, m.generator)
    encoded, held_out = order[:num_samples], order[num_samples : 2 * num_samples]
    probe_steps = settings.probe_steps if features == "probe" else 0
    passes = 7 + settings.refinements + 2 * isinstance(m.autoencoder, Probabilistic)  # posteriors, and draws from them
    counter = WorkCounter(m.progress, passes * num_samples + probe_steps)
    space = feature_space(
        m.dataset,
        features,
        torch.stack([encoded, held_out]),
        components=settings.components,
        probe=functools.partial(
            factor_probe, m.dataset, steps=settings.probe_steps, cache=settings.cache, progress=lambda _: counter.add(1)
        ),
        inception=settings.inception,
        device=m.device_and_dtype.device,
    )
    with listening(counter.add):
        latents = sample_latents(m, encoded, settings.refinements)
    reference_NK = _image_features(m, space, held_out, counter)
    data_NK = _image_features(m, space, encoded, counter)
    scale = _scale(torch.cat([reference_NK, data_NK]), features, m.dataset.name)
    estimates = {"data": compare(data_NK / scale, reference_NK / scale, neighbours=settings.neighbours)}
    images = [as_stored(as_float(m.dataset.raw(encoded[: settings.shown])))]
    for name, z_ND in latents.items():
        source = _decode(m, space, z_ND, settings.shown, counter)
        mean, se = mean_and_se(source.u)
        estimates[name] = compare(source.features / scale, reference_NK / scale, neighbours=settings.neighbours)
        estimates[name]["mean_u"] = Estimate(float(mean), float(se), 0.0)
        images.append(source.images)
    arrays, scores = _named_estimates(estimates)
    arrays["samples"] = _samples(images)
    return AssayResult(
        arrays=arrays,
        coordinates={"source": np.array([*estimates])},
        scores={**scores, **space.scores},
        settings=stored(
            settings,
            num_samples=num_samples,
            features=features,
            num_features=reference_NK.shape[1],
            scale=scale,
            **space.settings,
            batch_size=m.batch_size,
        ),
    )


def sample_latents(m: Measurement, indices: Tensor, refinements: int) -> dict[str, Tensor]:
    """Return latents (N, D) by their source; the images with these indices (N,) give those of the posterior."""
    codes_ND = encode_images(m.autoencoder, m.dataset, indices, batch_size=m.batch_size)
    prior_ND = of_prior(m, torch.randn(codes_ND.shape, generator=m.generator, dtype=torch.float64))
    latents = {
        "prior": prior_ND,
        "hybrid": shuffle_latents(codes_ND, m.generator),
        "refined": refine(m.autoencoder, prior_ND, refinements, batch_size=m.batch_size),
        "posterior": codes_ND,
    }
    if isinstance(m.autoencoder, Probabilistic):
        mean_ND, std_ND = posterior_of_images(m.autoencoder, m.dataset, indices, batch_size=m.batch_size)
        noise_ND = torch.randn(mean_ND.shape, generator=m.generator, dtype=torch.float64)
        latents["posterior_sample"] = mean_ND + std_ND * noise_ND.to(std_ND)
    return latents


def shuffle_latents(codes_ND: Tensor, generator: torch.Generator) -> Tensor:
    """Permute each latent of codes (N, D) independently: marginals stay, dependence between latents goes."""
    orders = [torch.randperm(len(codes_ND), generator=generator) for _ in range(codes_ND.shape[1])]
    return codes_ND.gather(0, torch.stack(orders, dim=1).to(codes_ND.device))


def refine(autoencoder: Autoencoder, z_ND: Tensor, times: int, *, batch_size: int) -> Tensor:
    """Apply h `times` times to latents (N, D)."""
    for _ in range(times):
        z_ND = respond(autoencoder, z_ND, batch_size=batch_size)
    return z_ND


def _num_samples(m: Measurement, settings: Settings) -> int:
    """Return the number of samples of each source; SettingError where they are too few for the neighbours."""
    available, fewest = num_drawn(m.dataset), fewest_points(settings.neighbours)
    count = min(settings.num_samples, available // 2)
    if count < fewest:
        raise SettingError(
            f"neighbours={settings.neighbours} needs num_samples of at least {fewest} and twice "
            f"as many images, and {m.dataset.name} has {available}, num_samples={settings.num_samples}"
        )
    return count


def _image_features(m: Measurement, space: FeatureSpace, indices: Tensor, counter: WorkCounter) -> Tensor:
    """Return the features (N, K) of the images with these indices (N,)."""
    parts = []
    for part in torch.split(indices, m.batch_size):
        parts.append(space.extract(as_float(m.dataset.raw(part))))
        counter.add(len(part))
    return torch.cat(parts)


def _scale(features_NK: Tensor, features: str, dataset: str) -> float:
    """Return the divisor of features; ValueError where those of all images are the same."""
    variation = feature_scale(features_NK)
    if variation == 0:
        raise ValueError(f"all images of {dataset} have the same features: there is nothing to compare")
    return 1.0 if features == "inception" else variation


def _decode(m: Measurement, space: FeatureSpace, z_ND: Tensor, shown: int, counter: WorkCounter) -> Source:
    """Return the samples that latents (N, D) decode to."""
    u_N = (respond(m.autoencoder, z_ND, batch_size=m.batch_size) - z_ND).double().norm(dim=1)
    parts: list[Tensor] = []
    images: list[Tensor] = []
    for z_BD in torch.split(z_ND, m.batch_size):
        with eval_mode(m.autoencoder):
            x = m.autoencoder.decode(z_BD)
            images.append(x[: max(0, shown - len(parts) * m.batch_size)])
            parts.append(space.extract(x))
        counter.add(len(z_BD))
    return Source(torch.cat(parts), u_N.cpu(), as_stored(torch.cat(images)))


def _samples(images: list[np.ndarray]) -> Array:
    samples = np.stack(images)
    axes = ("source", "shown", *observation_axes(samples[0, 0]))
    return Array(samples, axes, observation_unit(samples[0, 0]), "the first samples of each source")


def _named_estimates(estimates: Mapping[str, Mapping[str, Estimate]]) -> tuple[dict[str, Array], dict[str, float]]:
    """Return arrays over sources, NaN for |u| of images, and the same numbers as scores."""
    arrays: dict[str, Array] = {}
    scores: dict[str, float] = {}
    missing = Estimate(math.nan, math.nan, math.nan)
    for kind, (unit, description) in DESCRIPTIONS.items():
        row = [of_source.get(kind, missing) for of_source in estimates.values()]
        arrays[kind] = Array(np.array([estimate.value for estimate in row]), ("source",), unit, description)
        errors = np.array([estimate.se for estimate in row])
        arrays[f"{kind}_se"] = Array(errors, ("source",), unit, f"standard error of {kind}")
        if kind == "frechet":
            description = "what finite samples add to the Fréchet distance; estimated, not subtracted"
            biases = np.array([estimate.bias for estimate in row])
            arrays["frechet_bias"] = Array(biases, ("source",), unit, description)
        for source, of_source in estimates.items():
            if kind in of_source:
                estimate = of_source[kind]
                scores[f"{kind}_{source}"], scores[f"{kind}_{source}_se"] = estimate.value, estimate.se
    return arrays, scores

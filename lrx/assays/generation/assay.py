"""Generation: how close decoded samples come to images, for each way to sample the latents.

Sources of latents: `prior`, standard normal; `hybrid`, each latent of encoded images shuffled on its own; `refined`,
h applied n times to the same prior samples; `posterior`, encoder means of images, which decode to reconstructions;
`posterior_sample`, a draw from each of their posteriors. A sixth, `data`, is those images themselves: what a perfect
generator would score with so many samples. All are judged against other images, in a space of features.
Source: Leeb et al. 2022 (arXiv 2106.16091), sections 3 and 5; the distances are those of
`lrx.sample_quality.distances`.
N samples of each source, D latents, K features.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from lrx.core.types import Array, AssayResult, Autoencoder, Dataset, Probabilistic, as_float
from lrx.core.validation import SettingError, check_batch_size, check_whole
from lrx.responses.encoding import (
    device_and_dtype_of,
    encode_images,
    eval_mode,
    fitting_batch_size,
    image_order,
    num_drawn,
    posterior_of_images,
)
from lrx.responses.latent_response import respond
from lrx.responses.stored_observations import as_stored, observation_axes, observation_unit
from lrx.sample_quality.distances import Estimate, compare, fewest_points
from lrx.sample_quality.factor_probe import check_probe_settings, factor_probe
from lrx.sample_quality.feature_spaces import check_features, feature_scale, feature_space, resolve_features

DESCRIPTIONS = {
    "frechet": ("squared feature", "Fréchet distance from held-out images"),
    "kernel": ("squared feature", "unbiased kernel distance (cubic MMD^2) from held-out images"),
    "precision": ("1", "share of samples among the nearest neighbours of held-out images"),
    "recall": ("1", "share of held-out images among the nearest neighbours of samples"),
    "mean_u": ("latent", "mean |h(z) - z| of the samples' latents"),
}


def generation(
    autoencoder: Autoencoder,
    dataset: Dataset,
    generator: torch.Generator,
    *,
    num_samples: int,
    refinements: int,
    features: str,
    components: int,
    neighbours: int,
    probe_steps: int,
    cache: str | None,
    inception: str | None,
    shown: int,
    batch_size: int | None,
    progress: Callable[[int, int], None] | None = None,
) -> AssayResult:
    """Score every source of latents against held-out images: images that are not those encoded.

    num_samples: of each source, and of the held-out images; fewer where the data set has not twice as many.
    refinements: how often h is applied to the samples of `refined`.
    features: `pixels`, principal components of the images at hand; `probe`, a small network trained on the factors, or
    on the labels of what is no grid of factors; `inception`, the network of published Fréchet distances; `auto`, the
    probe where there are images with factors or labels, else pixels.
    Features are divided by `scale`, which gives those of images a mean variance of 1; those of Inception stay as they
    are, as in published distances. Those are of 50,000 samples; of fewer than its 2048 features, frechet_bias falls
    short of what is added.
    components: of pixels, at most. neighbours: of precision and recall.
    probe_steps, cache: of the probe's training, and the folder that keeps it, see
    `lrx.sample_quality.factor_probe.factor_probe`.
    inception: the weights file that `inception` needs, see `lrx.sample_quality.inception`; the result says which one
    it was.
    shown: samples of each source that are kept as images.
    progress: called with the samples and training steps done, and all that there are.

    Arrays over `source` (frechet, frechet_bias, kernel, precision, recall, mean_u, their errors) and the same as scores
    `frechet_prior`, `frechet_prior_se`. frechet_bias is what finite samples add to the Fréchet distance: it is
    estimated, not subtracted. Standard errors of precision and recall are on the large side (see tests). The model has
    seen the held-out images in training unless it was trained with split=train.
    ValueError for a setting out of range, too few images, or a feature that the data set cannot give.
    """
    _check(num_samples, refinements, components, neighbours, shown, batch_size)
    check_features(features, inception)
    check_probe_settings(probe_steps, cache)
    batch_size = batch_size or fitting_batch_size(dataset.observation_shape)
    count = min(num_samples, num_drawn(dataset) // 2)
    if count < fewest_points(neighbours):
        raise SettingError(
            f"neighbours={neighbours} needs num_samples of at least {fewest_points(neighbours)} and twice "
            f"as many images, and {dataset.name} has {num_drawn(dataset)}, num_samples={num_samples}"
        )
    features = resolve_features(dataset, features)

    order = image_order(dataset, generator)
    encoded, held_out = order[:count], order[count : 2 * count]
    latents = sources(autoencoder, dataset, encoded, refinements, generator=generator, batch_size=batch_size)
    names = ["data", *latents]
    work, done = (len(names) + 1) * count + (probe_steps if features == "probe" else 0), 0

    def report(new: int) -> None:
        nonlocal done
        done += new
        if progress is not None:
            progress(done, work)

    space = feature_space(
        dataset,
        features,
        torch.stack([encoded, held_out]),
        components=components,
        probe=functools.partial(factor_probe, dataset, steps=probe_steps, cache=cache, progress=lambda step: report(1)),
        inception=inception,
        device=device_and_dtype_of(autoencoder).device,
    )

    def of_images(indices: Tensor) -> Tensor:
        found = []
        for part in torch.split(indices, batch_size):
            found.append(space.extract(as_float(dataset.raw(part))))
            report(len(part))
        return torch.cat(found)

    reference_NK, data_NK = of_images(held_out), of_images(encoded)
    variation = feature_scale(torch.cat([reference_NK, data_NK]))
    if variation == 0:
        raise ValueError(f"all images of {dataset.name} have the same features: there is nothing to compare")
    scale = 1.0 if features == "inception" else variation  # as published
    found = {"data": compare(data_NK / scale, reference_NK / scale, neighbours=neighbours)}
    pictures = {"data": as_stored(as_float(dataset.raw(encoded[:shown])))}
    for name, z_ND in latents.items():
        u_N = (respond(autoencoder, z_ND, batch_size=batch_size) - z_ND).double().norm(dim=1)
        parts: list[Tensor] = []
        images: list[Tensor] = []
        for z_BD in torch.split(z_ND, batch_size):
            with eval_mode(autoencoder):
                x = autoencoder.decode(z_BD)
                images.append(x[: max(0, shown - len(parts) * batch_size)])
                parts.append(space.extract(x))
            report(len(z_BD))
        pictures[name] = as_stored(torch.cat(images))
        found[name] = compare(torch.cat(parts) / scale, reference_NK / scale, neighbours=neighbours)
        found[name]["mean_u"] = Estimate(float(u_N.mean()), float(u_N.std()) / math.sqrt(count), 0.0)

    arrays, scores = _named(found)
    samples = np.stack([pictures[name] for name in names])
    axes = ("source", "shown", *observation_axes(samples[0, 0]))
    arrays["samples"] = Array(samples, axes, observation_unit(samples[0, 0]), "the first samples of each source")
    return AssayResult(
        arrays=arrays,
        coordinates={"source": np.array(names)},
        scores={**scores, **space.scores},
        settings={
            "num_samples": count,
            "refinements": refinements,
            "features": features,
            "num_features": reference_NK.shape[1],
            "scale": scale,
            "components": components,
            "neighbours": neighbours,
            "probe_steps": probe_steps,
            "cache": cache,
            "inception": inception,
            **space.settings,
            "shown": shown,
            "batch_size": batch_size,
        },
    )


def sources(
    autoencoder: Autoencoder,
    dataset: Dataset,
    indices: Tensor,
    refinements: int,
    *,
    generator: torch.Generator,
    batch_size: int,
) -> dict[str, Tensor]:
    """Latents (N, D) by the name of their source; the images with these indices (N,) give those of the posterior."""
    codes_ND = encode_images(autoencoder, dataset, indices, batch_size=batch_size)
    home = device_and_dtype_of(autoencoder)
    noise_ND = torch.randn(codes_ND.shape, generator=generator, dtype=torch.float64)
    prior_ND = noise_ND.to(home.dtype).to(home.device)
    latents = {
        "prior": prior_ND,
        "hybrid": shuffled(codes_ND, generator),
        "refined": refined(autoencoder, prior_ND, refinements, batch_size=batch_size),
        "posterior": codes_ND,
    }
    if isinstance(autoencoder, Probabilistic):
        mean_ND, std_ND = posterior_of_images(autoencoder, dataset, indices, batch_size=batch_size)
        noise_ND = torch.randn(mean_ND.shape, generator=generator, dtype=torch.float64)
        latents["posterior_sample"] = mean_ND + std_ND * noise_ND.to(std_ND.dtype).to(std_ND.device)
    return latents


def shuffled(codes_ND: Tensor, generator: torch.Generator) -> Tensor:
    """Each latent of codes (N, D) permuted on its own: every marginal stays, what ties latents together goes."""
    orders = [torch.randperm(len(codes_ND), generator=generator) for _ in range(codes_ND.shape[1])]
    return codes_ND.gather(0, torch.stack(orders, dim=1).to(codes_ND.device))


def refined(autoencoder: Autoencoder, z_ND: Tensor, times: int, *, batch_size: int) -> Tensor:
    """h applied so often to latents (N, D)."""
    for _ in range(times):
        z_ND = respond(autoencoder, z_ND, batch_size=batch_size)
    return z_ND


def _named(found: Mapping[str, Mapping[str, Estimate]]) -> tuple[dict[str, Array], dict[str, float]]:
    """Arrays over sources, NaN for |u| of images, and the same numbers as scores."""
    arrays, scores = {}, {}
    for kind, (unit, words) in DESCRIPTIONS.items():
        estimates = [of.get(kind, Estimate(math.nan, math.nan, math.nan)) for of in found.values()]
        values, errors = np.array([e.value for e in estimates]), np.array([e.se for e in estimates])
        arrays[kind] = Array(values, ("source",), unit, words)
        arrays[f"{kind}_se"] = Array(errors, ("source",), unit, f"standard error of {kind}")
        if kind == "frechet":
            biases = np.array([e.bias for e in estimates])
            words = "what finite samples add to the Fréchet distance; estimated, not subtracted"
            arrays["frechet_bias"] = Array(biases, ("source",), unit, words)
        for source, of in found.items():
            if kind in of:
                scores[f"{kind}_{source}"], scores[f"{kind}_{source}_se"] = of[kind].value, of[kind].se
    return arrays, scores


def _check(
    num_samples: int, refinements: int, components: int, neighbours: int, shown: int, batch_size: int | None
) -> None:
    wholes = {
        "num_samples": (num_samples, 4),
        "refinements": (refinements, 0),
        "components": (components, 1),
        "neighbours": (neighbours, 1),
        "shown": (shown, 1),
    }
    for key, (value, least) in wholes.items():
        check_whole(key, value, least)
    check_batch_size(batch_size)

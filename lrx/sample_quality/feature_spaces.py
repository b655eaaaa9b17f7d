"""The space in which samples are compared with images: which features were asked for, and what is known of them.

Pixels and probe are those of `lrx.sample_quality.factor_probe`; Inception is that of published Fréchet distances, see
`lrx.sample_quality.inception`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lrx.core.known_classes import find_classes, known_classes
from lrx.core.paths import expand_user
from lrx.core.types import Dataset, as_float
from lrx.core.validation import SettingError
from lrx.sample_quality.factor_probe import factor_probe, pixel_components
from lrx.sample_quality.inception import FILES, read_inception

FEATURES = ("auto", "pixels", "probe", "inception")


@dataclass(frozen=True)
class FeatureSpace:
    """extract: observations (B, *observation_shape) to features (B, K), float64 on the CPU; what a result says of it.

    scores: how good the features are. settings: which weights they are of.
    """

    extract: Callable[[Tensor], Tensor]
    scores: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)


def check_features(features: object, inception: object) -> None:
    """ValueError unless features is one of FEATURES, and inception a file's name exactly where it is needed."""
    if features not in FEATURES:
        raise SettingError(f"features must be one of {', '.join(FEATURES)}, not {features!r}")
    if inception is not None and (not isinstance(inception, str) or not inception):
        raise SettingError(f"inception must be null or a file, not {inception!r}")
    if features == "inception" and inception is None:
        raise SettingError(f"features=inception needs inception=FILE with weights: {FILES}")
    if features != "inception" and inception is not None:
        warnings.warn(f"inception is not read with features={features}", stacklevel=3)


def resolve_features(dataset: Dataset, features: str) -> str:
    """What `auto` stands for: the probe for images with factors or labels, else pixels; other names as they are.

    ValueError when Inception is to read what are no images, grey or in colour.
    """
    shape = dataset.observation_shape
    if features == "inception" and (len(shape) != 3 or shape[0] not in (1, 3)):
        raise SettingError(
            f"features=inception needs images of 1 or 3 channels, and {dataset.name} holds observations "
            f"{tuple(shape)}; use features=pixels"
        )
    if features != "auto":
        return features
    known = find_classes(dataset)
    return "probe" if known is not None and known.varying and len(shape) == 3 else "pixels"


def feature_space(
    dataset: Dataset,
    features: str,
    images: Tensor,
    *,
    components: int,
    probe_steps: int,
    cache: str | None,
    inception: str | None,
    device: torch.device,
    progress: Callable[[int], None],
) -> FeatureSpace:
    """The space of features `pixels`, `probe` or `inception`; a network is on the device.

    images: indices int64 (2, N) of the encoded and the held-out. components: of pixels, at most.
    progress: called with the training steps of the probe that are done.
    ValueError for a feature that the data set cannot give, or a file that holds no Inception weights.
    """
    if features == "probe":
        known_classes(dataset, "features=probe")
        probe = factor_probe(dataset, steps=probe_steps, cache=cache, progress=progress).to(device)
        return FeatureSpace(probe.features, scores={"probe_accuracy": float(probe.accuracies.mean())})
    if features == "inception":
        network, digest = read_inception(expand_user(str(inception)))
        told = {"inception_variant": network.variant, "inception_sha256": digest}
        return FeatureSpace(network.to(device).features, settings=told)
    # of the encoded and the held-out alike, so that neither is nearer to the components
    some = images[:, : max(components * 4, 512)].flatten()
    return FeatureSpace(pixel_components(as_float(dataset.raw(some)), components=components).features)

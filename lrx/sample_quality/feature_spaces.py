"""Feature spaces in which samples are compared with images: pixels, a factor probe, or Inception.

See `lrx.sample_quality.pixel_pca`, `lrx.sample_quality.factor_probe` and, for published Fréchet distances,
`lrx.sample_quality.inception`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lrx.core.known_classes import find_classes, known_classes
from lrx.core.paths import expand_user
from lrx.core.types import Dataset, as_float
from lrx.core.validation import SettingError, check_choice
from lrx.sample_quality.factor_probe import Probe
from lrx.sample_quality.inception import FILES, read_inception
from lrx.sample_quality.pixel_pca import pixel_components

FEATURES = ("auto", "pixels", "probe", "inception")


@dataclass(frozen=True)
class FeatureSpace:
    """Features of observations, and their record in a result.

    extract: observations (B, *observation_shape) to features (B, K), float64 on the CPU.
    scores: quality of the features. settings: identity of the weights.
    """

    extract: Callable[[Tensor], Tensor]
    scores: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)


def check_features(features: object, inception: object) -> None:
    """Check that features is one of FEATURES, and inception a file's name exactly where it is needed."""
    check_choice("features", features, FEATURES)
    if inception is not None and (not isinstance(inception, str) or not inception):
        raise SettingError(f"inception must be null or a file, not {inception!r}")
    if features == "inception" and inception is None:
        raise SettingError(f"features=inception needs inception=FILE with weights: {FILES}")
    if features != "inception" and inception is not None:
        warnings.warn(f"inception is not read with features={features}", stacklevel=3)


def resolve_features(dataset: Dataset, features: str) -> str:
    """Return the features that `auto` stands for: `probe` for images with factors or labels, else `pixels`.

    Other names are returned as they are. SettingError for `inception` unless observations are grey or colour images.
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
    probe: Callable[[], Probe],
    inception: str | None,
    device: torch.device,
) -> FeatureSpace:
    """Build the space of features `pixels`, `probe` or `inception`; its network is on the device.

    images: indices int64 (2, N) of the encoded and the held-out images. components: greatest number of components of
    pixels. probe: returns the probe of the data set, see `lrx.sample_quality.factor_probe.factor_probe`.
    inception: weights file. ValueError for features that the data set cannot give, or a file of other weights.
    """
    if features == "probe":
        known_classes(dataset, "features=probe")
        network = probe().to(device)
        return FeatureSpace(network.features, scores=network.scores)
    if features == "inception":
        inception_v3, digest = read_inception(expand_user(str(inception)))
        record = {"inception_variant": inception_v3.variant, "inception_sha256": digest}
        return FeatureSpace(inception_v3.to(device).features, settings=record)
    # of encoded and held-out images alike, so that neither is closer to the components
    sample = images[:, : max(components * 4, 512)].flatten()
    return FeatureSpace(pixel_components(as_float(dataset.raw(sample)), components=components).features)


def feature_scale(features_NK: Tensor) -> float:
    """Return the root of the mean variance of features (N, K): divided by it, distances are comparable."""
    return math.sqrt(float(features_NK.double().var(0).mean()))

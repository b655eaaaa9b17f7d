"""Spatial response: how far, and into which channels, one place of a code with a shape reaches.

kernel_jk(dy, dx) = sqrt(1/2 E[(h_k(do(z_j(y, x) := v)) - h_k(z))^2]), h_k at (y + dy, x + dx), where one channel at one
place is set to its value in another image (`lrx.responses.site_response`). C channels, radius r.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from lrx.core.settings import AssaySettings, setting, stored
from lrx.core.types import Array, AssayResult
from lrx.core.validation import SettingError
from lrx.responses.draws import BASES, base_of
from lrx.responses.informative import READ_BACK, informative_by_read_back, read_back_array
from lrx.responses.measurement import Measurement
from lrx.responses.places import check_places, fitting_radius, map_shape
from lrx.responses.site_response import SiteResponses, Sites, measure_sites

RADIUS = 3  # places, by default
PERCENT = (50, 90, 99)  # of the squared response, of `reach`
CORRELATED = 0.9  # from which on a channel's response correlates with it
AXES = ("intervened", "responding")


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of the spatial response."""

    radius: int | None = setting(
        None, f"places around the site that the kernel covers; null: {RADIUS}, or what fits", at_least=0
    )
    num_samples: int = setting(64, "draws, each used by every channel", at_least=2)
    places: int = setting(1, "random places of each draw, radius or more from the borders, set in turn", at_least=1)
    patch: int = setting(1, "side of the square of places that is set at once in a channel, odd: 1 | 3 | ...")
    base: str = setting(
        "posterior",
        "source of codes and of values: posterior, images | posterior_sample, draws from posteriors | prior",
        choices=BASES,
    )
    batch_size: int | None = setting(None, "responses per forward pass; null: what fits the memory", at_least=1)

    def check(self) -> None:
        """Check that what is set has a centre, and lies within the kernel."""
        is_whole = isinstance(self.patch, int) and not isinstance(self.patch, bool)
        if not is_whole or self.patch < 1 or self.patch % 2 == 0:
            raise SettingError(f"patch must be an odd number of at least 1, not {self.patch!r}")
        if self.radius is not None and self.patch // 2 > self.radius:
            raise SettingError(f"patch must be at most 2 radius + 1 = {2 * self.radius + 1}, not {self.patch}")


def sites_of(m: Measurement, settings: Settings) -> Sites:
    """Return the sites that these settings name.

    ValueError for codes that are vectors, SettingError for a radius or places that codes of this shape do not have.
    """
    shape = map_shape(m, "spatial_response")
    radius = fitting_radius(settings.radius, shape, max(RADIUS, settings.patch // 2))
    if settings.patch // 2 > radius:
        raise SettingError(
            f"patch must be at most {2 * radius + 1} for codes of {shape[1]} x {shape[2]} places, not {settings.patch}"
        )
    check_places(settings.places, shape, radius)
    return Sites(shape=shape, radius=radius, places=settings.places, patch=settings.patch)


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Measure kernels (C, C, 2r+1, 2r+1) of responses around one place of each channel, and how far they reach.

    Arrays, each `x` with its standard error `x_se`: kernel; far (C, C), per element beyond the radius; within (C,
    distance), the share of the squared response in a square around the site; read_back and correlation (C,). Without
    errors: reach (C, 3), step and informative (C,). Responses and steps are on the scale `half`.
    Scores: num_informative (read_back > 0.5), num_correlated_only (others whose response correlates with them at 0.9 or
    more over images), mean_reach_90, largest_se of the kernel.
    """
    sites, base = sites_of(m, settings), base_of(m, settings.base)
    responses = measure_sites(m, sites, base=base, num_samples=settings.num_samples)
    read_back_C, correlation_C = responses.read_back()[0], responses.correlation()[0]
    correlated_only_C = (correlation_C >= CORRELATED) & ~informative_by_read_back(read_back_C)
    arrays = _arrays(responses, read_back_C)
    reach_90 = arrays["reach"].values[:, PERCENT.index(90)]
    has_response = np.isfinite(reach_90)
    scores = {
        "num_informative": float(arrays["informative"].values.sum()),
        "num_correlated_only": float(correlated_only_C.sum()),
        "largest_se": float(arrays["kernel_se"].values.max()),
    }
    if has_response.any():
        scores["mean_reach_90"] = float(reach_90[has_response].mean())
    channels, offsets = np.arange(sites.shape[0]), np.arange(-sites.radius, sites.radius + 1)
    return AssayResult(
        arrays=arrays,
        coordinates={
            **dict.fromkeys(AXES, channels),
            **dict.fromkeys(("dy", "dx"), offsets),
            "distance": np.arange(sites.num_distances),
            "percent": np.array(PERCENT),
        },
        scores=scores,
        settings=stored(
            settings,
            radius=sites.radius,
            base=base,
            latent_shape=" x ".join(map(str, sites.shape)),
            batch_size=m.batch_size,
            remark=_remark(read_back_C, settings.patch),
        ),
    )


def _remark(read_back_C: Tensor, patch: int) -> str | None:
    """Say where no channel is read back, and what sets more of it."""
    if informative_by_read_back(read_back_C).any():
        return None
    largest = float(read_back_C.nan_to_num(0).max())  # NaN: a channel that no draw moved
    more = "patch=3 sets its neighbours, too" if patch == 1 else "assay=response_matrix sets it at all places"
    return (
        f"no channel is read back where it is set, read_back > {READ_BACK:g} (the largest is {largest:.2g}): "
        f"the decoder ignores it, or its neighbours overrule it; {more}"
    )


def _arrays(responses: SiteResponses, read_back_C: Tensor) -> dict[str, Array]:
    kernel = "root mean square change of the response at an offset of the site, normalization half"
    step = "root mean square of the step v - z, normalization half"
    reach = "distance of the site within which this percentage of its squared response lies"
    set_ = AXES[:1]
    return {
        **_with_se("kernel", responses.kernel(), (*AXES, "dy", "dx"), "latent", kernel),
        **_with_se("far", responses.far(), AXES, "latent", "the same of an element beyond the radius"),
        **_with_se(
            "within", responses.within(), (*set_, "distance"), "1", "share of the squared response within a distance"
        ),
        "reach": Array(responses.reach(tuple(x / 100 for x in PERCENT)).numpy(), (*set_, "percent"), "place", reach),
        "step": Array(responses.step().numpy(), set_, "latent", step),
        **_with_se("read_back", responses.read_back(), set_, "1", "response over step of what is set: 1 as it was set"),
        **_with_se(
            "correlation", responses.correlation(), set_, "1", "correlation of code and response over images and places"
        ),
        "informative": read_back_array(read_back_C, set_[0]),
    }


def _with_se(name: str, pair: tuple[Tensor, Tensor], axes: tuple[str, ...], unit: str, text: str) -> dict[str, Array]:
    return {
        name: Array(pair[0].numpy(), axes, unit, text),
        f"{name}_se": Array(pair[1].numpy(), axes, unit, f"standard error of {name}"),
    }

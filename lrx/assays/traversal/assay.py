"""Latent traversals: walks along each informative latent from encoded images, decoded, with the response along them.

A walk sets latent j to each of S values and leaves the others at the code of an image. h_j along the walk follows the
value where the latent acts freely, and stays behind where the response saturates: `following`, the least-squares slope
of h_j over the values, is 1 for an identity and 0 for a latent that causes nothing. Source: Leeb et al. 2022
(arXiv 2106.16091), section 3. A unit of several latents (`lrx.responses.units`) is set as one; latents of a map move
in standard deviations over images from their mean, and the response of a unit is the mean over its latents on that
scale. A quantised latent is set to each of its values. I images, W latents that are walked, S steps, D latents, R
latents to choose from.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.assays.traversal.targets import EXTENT, STEPS, targets
from lrx.assays.traversal.walks import answer_arrays, moved_arrays, slope_over, walk
from lrx.core.flat_codes import AXES
from lrx.core.settings import AssaySettings, setting, stored
from lrx.core.statistics import mean_and_se
from lrx.core.text import did_you_mean
from lrx.core.types import Array, AssayResult, Quantized, as_float
from lrx.core.validation import SettingError, is_number, is_whole
from lrx.responses.draws import AUTO, base_of
from lrx.responses.encoding import encode_images, image_order
from lrx.responses.enumeration import has_own_scale, num_values, weighting
from lrx.responses.informative import (
    READ_BACK,
    criterion,
    informative_array,
    informative_by_read_back,
    informative_by_self_response,
    read_back_array,
)
from lrx.responses.latent_response import respond
from lrx.responses.matrix import SCALE, ResponseMatrix
from lrx.responses.measurement import Measurement
from lrx.responses.shared_matrix import serves, shared_or_measured
from lrx.responses.stored_observations import as_stored, decoded, named_columns_of, observation_axes, observation_unit
from lrx.responses.units import MEANING

CHOICES = ("informative", "all")
WALKS = ("image", "latent", "step")
NUM_SAMPLES = 256


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of the traversals."""

    units: str | list[list[int]] | None = setting(None, MEANING)
    latents: str | int | list[int] = setting(
        "informative", "informative | all | a latent, or a list such as [0,3]; rows are ordered by response"
    )
    images: int | list[int] = setting(3, "number of images, drawn from the seed, or a list of indices such as [17,4]")
    extent: float = setting(EXTENT, "each latent from -extent to extent", positive=True)
    steps: int = setting(STEPS, "values of each latent", at_least=2)
    values: float | list[float] | None = setting(
        None, "a value, or a list such as [-2,2], in place of extent and steps; null: these"
    )
    num_samples: int | None = setting(
        NUM_SAMPLES,
        "draws of the responses that order the latents; null: the matrix of this run (assay=paper)",
        at_least=2,
    )
    batch_size: int | None = setting(None, "latents per forward pass; null: what fits the memory", at_least=1)

    def check(self) -> None:
        """Check the choices that do not depend on the model and the data."""
        if not isinstance(self.images, list) and not is_whole(self.images, 1):
            raise SettingError(
                f"images must be a whole number of at least 1, or a list of indices, not {self.images!r}"
            )
        if isinstance(self.latents, str) and self.latents not in CHOICES:
            near = did_you_mean(self.latents, CHOICES)
            raise SettingError(
                f"latents must be informative, all, a number, or a list such as [0,3], not {self.latents!r}{near}"
            )
        values = self.values if isinstance(self.values, list) else [self.values]
        if self.values is None:
            return
        if not values or not all(is_number(value) for value in values) or len(set(values)) < len(values):
            raise SettingError(f"values must be null, a number, or different numbers as in [-2,2], not {self.values!r}")
        for name, default in (("extent", EXTENT), ("steps", STEPS)):
            if getattr(self, name) != default:
                raise SettingError(f"{name}={getattr(self, name)} has no effect beside values; leave one of them out")


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Walk along latents from the codes of images, in the order of the latents' responses to themselves.

    Without an informative latent (`lrx.responses.informative`), all are walked, which the score num_informative and
    the setting `remark` say. Walks are stored as uint8 pixels, vectors as float32; self_response on the scale `half`.
    SettingError for latents or images that there are not.
    """
    m = m.with_units(settings.units)
    units = m.units
    _check(settings, m)
    order = image_order(m.dataset, m.generator)
    indices_I = torch.tensor(settings.images) if isinstance(settings.images, list) else order[: settings.images]
    codes_ID = encode_images(m.autoencoder, m.dataset, indices_I, batch_size=m.batch_size)

    rows = list(range(len(units))) if isinstance(settings.latents, str) else _listed(settings.latents)
    step_S, targets_SD, centre_D, spread_D = targets(
        m, order, extent=settings.extent, steps=settings.steps, values=settings.values
    )
    points = len(codes_ID) * len(step_S)  # of one latent, each decoded and responded to
    matrix = _matrix(m, settings, rows, points * len(rows))
    is_map, own_scale = len(m.latent_shape) > 1, has_own_scale(m)
    own_R = matrix.read_back()[0] if own_scale else matrix.self_responses("none")[0]
    informative_R = informative_by_read_back(own_R) if own_scale else informative_by_self_response(own_R)
    places = _order(own_R, informative_R, only_informative=settings.latents == "informative")
    walked = [rows[place] for place in places]

    served = serves(m, num_samples=settings.num_samples, base=base_of(m, AUTO))
    draws = 0 if served else matrix.num_samples * (len(rows) * num_values(matrix.values) + 1)
    total = draws + points * len(walked)
    walked_members = [units.members[unit] for unit in walked]
    walks, response_IWSD = walk(
        m, codes_ID, walked_members, targets_SD, progress=lambda done: m.progress(draws + done, total)
    )
    scaled_IWSD = (response_IWSD - centre_D.numpy()) / spread_D.numpy()
    own_IWS = np.stack(
        [scaled_IWSD[:, w][..., members.numpy()].mean(-1) for w, members in enumerate(walked_members)], axis=1
    )
    scaled_SD = (targets_SD - centre_D) / spread_D
    values_WS = torch.stack([scaled_SD[:, members].mean(1) for members in walked_members]).numpy()
    following_IW = slope_over(own_IWS, values_WS)

    num_informative, is_quantized = int(informative_R.sum()), isinstance(m.autoencoder, Quantized)
    rule = f"M_uu / step_u > {READ_BACK:g}" if own_scale else criterion()
    observation, unit = observation_axes(walks[0, 0, 0]), observation_unit(walks)
    code_axes = ("latent_channel", *AXES[1:]) if is_map else ("responding",)
    reconstructed = decoded(m.autoencoder, codes_ID, batch_size=m.batch_size)
    base_ID = respond(m.autoencoder, codes_ID, batch_size=m.batch_size).double().cpu()
    slope = "slope of the own response over the values: 1 for an identity"
    arrays = {
        "walk": Array(walks, (*WALKS, *observation), unit, "observations decoded along each latent"),
        "original": Array(as_stored(as_float(m.dataset.raw(indices_I))), ("image", *observation), unit, "each image"),
        "reconstruction": Array(reconstructed, ("image", *observation), unit, "decode of the code of each image"),
        "code": Array(
            codes_ID.double().cpu().numpy().reshape(-1, *m.latent_shape),
            ("image", *code_axes),
            "latent",
            "code of each image",
        ),
        "response": Array(
            response_IWSD.reshape(*response_IWSD.shape[:3], *m.latent_shape),
            (*WALKS, *code_axes),
            "latent",
            "response h along the walks",
        ),
        "own_response": Array(own_IWS, WALKS, "latent", "response of the walked latent along the walks"),
        "following": Array(following_IW, WALKS[:2], "1", slope),
        **_self_response_arrays(matrix, places),
        **moved_arrays(walks, values_WS),
        **answer_arrays(torch.from_numpy(response_IWSD), base_ID, spread_D, units),
        "informative": (read_back_array if own_scale else informative_array)(own_R[places], "latent"),
    }
    if is_quantized:
        arrays["value"] = Array(values_WS, WALKS[1:], "latent", "value that each step sets a latent to")
    return AssayResult(
        arrays=arrays,
        coordinates={
            "image": indices_I.numpy(),
            "latent": units.labels[walked],
            "unit": units.labels,
            "step": step_S.numpy(),
            **({} if is_map else {"responding": np.arange(m.num_latents)}),
            **named_columns_of(m.dataset, observation),
        },
        scores=_scores(following_IW, walked, num_informative),
        settings=stored(
            settings,
            units=units.kind,
            num_images=len(codes_ID),
            extent=None if is_quantized or settings.values is not None else float(settings.extent),
            steps=len(step_S),
            num_samples=matrix.num_samples,
            **weighting(matrix.values),
            batch_size=m.batch_size,
            remark=None if num_informative else f"no latent walked is informative: {rule}",
        ),
    )


def _matrix(m: Measurement, settings: Settings, rows: list[int], remaining: int) -> ResponseMatrix:
    """Return these rows of the response matrix; progress counts the points that remain after it."""
    part = dataclasses.replace(m, progress=lambda done, total: m.progress(done, total + remaining))
    return shared_or_measured(
        part,
        num_samples=settings.num_samples,
        default=NUM_SAMPLES,
        base=base_of(m, AUTO),
        rows=rows,
    )


def _order(own_R: Tensor, informative_R: Tensor, *, only_informative: bool) -> list[int]:
    """Return the places in own_R to walk, the largest response first: the informative ones, or all where none is."""
    some = only_informative and bool(informative_R.any())
    places = [place for place in range(len(own_R)) if informative_R[place] or not some]
    return sorted(places, key=lambda place: -float(own_R[place]))


def _self_response_arrays(matrix: ResponseMatrix, places: list[int]) -> dict[str, Array]:
    own_R, se_R = matrix.self_responses(SCALE)
    description = f"M_jj of the response matrix, normalization {SCALE}"
    return {
        "self_response": Array(own_R[places].numpy(), ("latent",), "latent", description),
        "self_response_se": Array(se_R[places].numpy(), ("latent",), "latent", "standard error of M_jj"),
    }


def _scores(following_IW: np.ndarray, walked: list[int], num_informative: int) -> dict[str, float]:
    """Return the numbers of latents, and the mean slope; with two images or more its standard error over images."""
    scores = {"num_walked": float(len(walked)), "num_informative": float(num_informative)}
    mean, se = mean_and_se(following_IW.mean(1))
    scores["mean_following"] = float(mean)
    if len(following_IW) > 1:
        scores["mean_following_se"] = float(se)
    return scores


def _check(settings: Settings, m: Measurement) -> None:
    latents, images, available = settings.latents, settings.images, len(m.dataset)
    if not isinstance(latents, str) and not _are_different(_listed(latents), len(m.units)):
        what = "be different ones of" if isinstance(latents, list) else "name one of"
        raise SettingError(f"latents must {what} 0 to {len(m.units) - 1}, not {latents}")
    if isinstance(images, list) and not _are_different(images, available):
        raise SettingError(f"images must be a number, or different indices of 0 to {available - 1}, not {images}")


def _listed(value: int | list[int]) -> list[int]:
    return value if isinstance(value, list) else [value]


def _are_different(numbers: list[int], count: int) -> bool:
    """Return whether these are different whole numbers below `count`, at least one."""
    valid = bool(numbers) and all(is_whole(number, 0) and number < count for number in numbers)
    return valid and len(set(numbers)) == len(numbers)

"""Response map: u(z) = h(z) - z over a plane of two latents, where it contracts, and how its lines bend.

For latents j (`first`, along x) and k (`second`, along y) at values x, y, the others at a base point:
u = (h_j - x, h_k - y) in the plane, `magnitude` its length, `magnitude_full` the length of h - z in all D dimensions.
Divergence du_j/dx + du_k/dy: below 0 the responses contract towards the manifold, above 0 lie ridges between basins.
Mean curvature -1/2 div(u/|u|), with the length in the plane. Source: Leeb et al. 2022 (arXiv 2106.16091), section 3.
N points or images, D latents, n points a side, m decoded images a side, p pairs of latents.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.assays.response_map.pair_selection import choose_pairs, remark_on_pairs
from lrx.core.settings import AssaySettings, setting, stored
from lrx.core.types import Array, AssayResult
from lrx.core.validation import SettingError, is_number, is_whole
from lrx.responses.encoding import encode_images, image_order
from lrx.responses.jacobian import columns_function, loop_of
from lrx.responses.latent_response import respond
from lrx.responses.matrix import SCALE, ResponseMatrix
from lrx.responses.measurement import Measurement
from lrx.responses.shared_matrix import matrix_arrays, serves, shared_or_measured
from lrx.responses.stored_observations import as_numbers, decoded, observation_axes, observation_unit
from lrx.responses.vector_field import MAPS, SMALLEST, plane, plane_field
from lrx.responses.work_units import ALL_UNITS, Values, WorkUnit

BASES = ("image", "prior")
CHOICES = ("auto", "all")
DERIVATIVES = ("grid", "exact")
PLANE = ("pair", "second", "first")
NUM_SAMPLES = 256

Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of the response maps."""

    latents: str | list[int] = setting(
        "auto", "auto: the most entangled informative pair | all: every informative pair | [j,k]"
    )
    base: str | list[float] = setting("image", "the other latents: image | prior (0) | a list of one number a latent")
    index: int | None = setting(None, "the image of base=image; null: drawn from the seed", at_least=0)
    extent: float = setting(3.0, "both latents from -extent to extent", positive=True)
    resolution: int = setting(100, "points a side", at_least=SMALLEST)
    derivative: str = setting(
        "grid",
        "grid: differences on the map, free | exact: Jacobian-vector products, 8 to 10 times slower",
        choices=DERIVATIVES,
    )
    num_posterior: int = setting(2048, "codes of images stored beside the map", at_least=0)
    decoded: int = setting(9, "decoded images a side; 0: none", at_least=0)
    num_samples: int | None = setting(
        NUM_SAMPLES,
        "prior draws of the matrix that chooses latents; null: the matrix of this run (assay=paper)",
        at_least=2,
    )
    max_pairs: int = setting(28, "of latents=all, the most entangled first; 28: the pairs of 8 latents", at_least=1)
    batch_size: int | None = setting(None, "latents per forward pass; null: what fits the memory", at_least=1)

    def check(self) -> None:
        """Check the choice of latents, and that an image is not given without use."""
        if not isinstance(self.latents, list) and self.latents not in CHOICES:
            raise SettingError(f"latents must be auto, all, or two latents [j,k], not {self.latents!r}")
        if self.index is not None and self.base != "image":
            raise SettingError(f"index={self.index} is the image of base=image, and has no effect on this base")


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Map u, its divergence and its mean curvature over n x n points for each pair of latents.

    Pairs are chosen by the response matrix (`choose_pairs`); with fewer than two informative latents, `auto` and `all`
    take the best pair there is, and the score mapped_informative and the setting `remark` say so.
    Each shard computes the whole response matrix, and its share of the points of the maps.
    Arrays: those of `lrx.responses.vector_field.MAPS` (pair, second, first); latents, base, posterior, decoded; matrix
    and matrix_se of the latents to choose from, on the scale `half`. Curvature is NaN at fixed points.
    SettingError for a setting that model or data cannot serve, or a model with one latent.
    """
    _check(m, settings)
    m = m.with_units("element")  # also of codes (channel, y, x): a plane is of two latents
    images = image_order(m.dataset, m.generator)[: max(1, settings.num_posterior)]
    index = int(images[0]) if settings.index is None else settings.index
    base_D = _base_point(m, settings.base, index)
    rows = settings.latents if isinstance(settings.latents, list) else list(range(m.num_latents))
    matrix = _matrix(m, settings, rows)
    pairs, possible, informative = choose_pairs(settings.latents, rows, matrix.on_scale("none")[0], settings.max_pairs)
    draws = 0 if serves(m, num_samples=settings.num_samples) else matrix.num_samples * (len(rows) + 1)
    axis_n = torch.linspace(-settings.extent, settings.extent, settings.resolution, dtype=torch.float64)

    arrays = _maps(m, settings, base_D, pairs, axis_n, draws)
    arrays["latents"] = Array(np.array(pairs), ("pair", "component"), "1", "latents of each pair: along x, along y")
    arrays["base"] = Array(as_numbers(base_D), ("latent",), "latent", "the point whose other latents stay")
    coordinates = {"first": axis_n.numpy(), "second": axis_n.numpy()}
    if settings.num_posterior:
        codes_ND = encode_images(m.autoencoder, m.dataset, images, batch_size=m.batch_size)
        codes = np.moveaxis(codes_ND.double().cpu().numpy()[:, np.array(pairs)], 1, 0)
        description = "codes of images in the two latents"
        arrays["posterior"] = Array(codes, ("pair", "code", "component"), "latent", description)
        coordinates["code"] = images.numpy()
    if settings.decoded:
        corner_m = torch.zeros(1)
        if settings.decoded > 1:
            corner_m = torch.linspace(-settings.extent, settings.extent, settings.decoded, dtype=torch.float64)
        arrays["decoded"] = _decoded(m, base_D, pairs, corner_m)
        coordinates |= dict.fromkeys(("decoded_first", "decoded_second"), corner_m.numpy())
    arrays |= matrix_arrays(matrix, SCALE)
    mapped = sorted({latent for pair in pairs for latent in pair})
    return AssayResult(
        arrays=arrays,
        coordinates=coordinates
        | {
            "component": np.array(["first", "second"]),
            "intervened": np.array(rows),
            "responding": np.arange(m.num_latents),
        },
        scores=_scores(arrays, pairs, len(mapped), len(informative.intersection(mapped))),
        settings=stored(
            settings,
            base=settings.base if isinstance(settings.base, str) else "given",
            index=index if settings.base == "image" else None,
            extent=float(settings.extent),
            num_posterior=min(settings.num_posterior, len(images)),
            num_samples=matrix.num_samples,
            pairs_left_out=possible - len(pairs),
            batch_size=m.batch_size,
            remark=remark_on_pairs(mapped, informative),
        ),
    )


def _base_point(m: Measurement, base: str | list[float], index: int) -> Tensor:
    """Return the point (D,) whose other latents stay, on the model's device and in its dtype."""
    if base == "image":
        return encode_images(m.autoencoder, m.dataset, torch.tensor([index]), batch_size=1)[0]
    values = torch.zeros(m.num_latents) if base == "prior" else torch.tensor(base, dtype=torch.float64)
    return values.to(m.device_and_dtype)


def _matrix(m: Measurement, settings: Settings, rows: list[int]) -> ResponseMatrix:
    """Return these rows of the response matrix; progress counts the points of the maps that remain after it."""
    possible = m.num_latents * (m.num_latents - 1) // 2
    remaining = settings.resolution**2 * (min(settings.max_pairs, possible) if settings.latents == "all" else 1)
    part = dataclasses.replace(m, share=ALL_UNITS, progress=lambda done, total: m.progress(done, total + remaining))
    return shared_or_measured(part, num_samples=settings.num_samples, default=NUM_SAMPLES, rows=rows)


def _maps(
    m: Measurement, settings: Settings, base_D: Tensor, pairs: Sequence[Pair], axis_n: Tensor, draws: int
) -> dict[str, Array]:
    """Return the arrays of MAPS, of all pairs; progress counts the points after `draws` responses."""
    spacing, points = float(axis_n[1] - axis_n[0]), len(pairs) * len(axis_n) ** 2
    units = _units(m, base_D, pairs, axis_n, exact=settings.derivative == "exact")
    evaluated = m.share.values(units, total=points, progress=lambda done: m.progress(draws + done, draws + points))
    maps: dict[str, list[np.ndarray]] = {}
    for pair, parts in itertools.groupby(evaluated, key=lambda part: (part[0][0], part[0][1])):
        field = [torch.cat(tensors).double() for tensors in zip(*(values for _, values in parts), strict=True)]
        z_ND = plane(base_D, pair, axis_n).double().cpu()
        for name, values in plane_field(z_ND, field, pair, spacing).items():
            maps.setdefault(name, []).append(values)
    axes = {"u": ("pair", "component", *PLANE[1:])}
    return {name: Array(np.stack(values), axes.get(name, PLANE), *MAPS[name]) for name, values in maps.items()}


def _units(m: Measurement, base_D: Tensor, pairs: Sequence[Pair], axis_n: Tensor, *, exact: bool) -> Iterator[WorkUnit]:
    """Yield units of a batch of points, of the key (first latent, second, first point), whose values are h (N, D), and
    with exact derivatives dh/dz (N, D, 2) by the two latents."""
    loop = loop_of(m.autoencoder) if exact else None
    columns = None if loop is None else columns_function(loop, base_D)

    def evaluate(z_BD: Tensor, pair: Pair) -> Values:
        if loop is None or columns is None:
            return (respond(m.autoencoder, z_BD, batch_size=m.batch_size).cpu(),)
        h_BD, columns_BD2 = columns(loop, z_BD, list(pair), batch_size=m.batch_size)
        return h_BD.cpu(), columns_BD2.cpu()

    for pair in pairs:
        for number, z_BD in enumerate(torch.split(plane(base_D, pair, axis_n), m.batch_size)):
            yield WorkUnit((*pair, number * m.batch_size), len(z_BD), functools.partial(evaluate, z_BD, pair))


def _decoded(m: Measurement, base_D: Tensor, pairs: Sequence[Pair], corner_m: Tensor) -> Array:
    """Return observations decoded over the plane of each pair, (p, m, m, ...)."""
    side = len(corner_m)
    planes = [decoded(m.autoencoder, plane(base_D, pair, corner_m), batch_size=m.batch_size) for pair in pairs]
    observations = np.stack([x_N.reshape(side, side, *x_N.shape[1:]) for x_N in planes])
    axes = ("pair", "decoded_second", "decoded_first", *observation_axes(observations[0, 0, 0]))
    return Array(observations, axes, observation_unit(observations), "observations decoded from the plane")


def _scores(arrays: dict[str, Array], pairs: list[Pair], num_mapped: int, num_informative: int) -> dict[str, float]:
    divergence = arrays["divergence"].values
    scores = {"num_pairs": float(len(pairs)), "first_latent": float(pairs[0][0]), "second_latent": float(pairs[0][1])}
    scores["mapped_latents"] = float(num_mapped)
    scores["mapped_informative"] = float(num_informative)
    scores["contracting"] = float((divergence < 0).mean())  # share of the points; a census, no estimate
    scores["divergence_median"] = float(np.median(divergence))
    scores["divergence_least"] = float(divergence.min())
    if "divergence_error" in arrays:
        scores["divergence_error_median"] = float(np.median(arrays["divergence_error"].values))
    return scores


def _check(m: Measurement, settings: Settings) -> None:
    latents, base, index, dimensions = settings.latents, settings.base, settings.index, m.num_latents
    if dimensions < 2:
        raise ValueError("assay=response_map needs a plane of two latents, and the model has one latent")
    if isinstance(latents, list):
        valid = len(latents) == 2 and all(is_whole(latent, 0) and latent < dimensions for latent in latents)
        if not valid or latents[0] == latents[1]:
            raise SettingError(f"latents must be two different ones of 0 to {dimensions - 1}, not {latents}")
    if isinstance(base, list):
        if len(base) != dimensions or not all(is_number(value) for value in base):
            raise SettingError(f"base must be image, prior or {dimensions} numbers, not {base}")
    elif base not in BASES:
        raise SettingError(f"base must be image, prior or a list of {dimensions} numbers, not {base!r}")
    if index is not None and index >= len(m.dataset):
        raise SettingError(f"index must be null or a whole number from 0 to {len(m.dataset) - 1}, not {index!r}")

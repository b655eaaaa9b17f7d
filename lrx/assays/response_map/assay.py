"""Response map: u(z) = h(z) - z over a plane of two latents, where it contracts, and how its lines bend.

For latents j (`first`, along x) and k (`second`, along y) at values x, y, the others at a base point:
u = (h_j - x, h_k - y) in the plane, `magnitude` its length, `magnitude_full` the length of h - z in all D dimensions.
Divergence du_j/dx + du_k/dy: below 0 the responses contract towards the manifold, above 0 lie ridges between basins.
Mean curvature -1/2 div(u/|u|), with the length in the plane. Source: Leeb et al. 2022 (arXiv 2106.16091), section 3.
N points or images, D latents, n points a side, p pairs of latents.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from lrx.assays.response_map.pair_selection import choose_pairs, remark_on_pairs
from lrx.core.types import Array, AssayResult, Autoencoder, Dataset
from lrx.core.validation import (
    SettingError,
    check_batch_size,
    check_choice,
    check_positive,
    check_whole,
    is_number,
    is_whole,
)
from lrx.responses.encoding import device_and_dtype_of, encode_images, fitting_batch_size, image_order, num_latents
from lrx.responses.interventions import prior_responses
from lrx.responses.jacobian import Loop, jacobian_columns, loop_of
from lrx.responses.latent_response import respond
from lrx.responses.stored_observations import decoded as decode_all
from lrx.responses.stored_observations import observation_axes, observation_unit
from lrx.responses.vector_field import MAPS, SMALLEST, plane, plane_field
from lrx.responses.work_units import ALL_UNITS, Share, Values, WorkUnit

BASES = ("image", "prior")
CHOICES = ("auto", "all")
DERIVATIVES = ("grid", "exact")
PLANE = ("pair", "second", "first")


def response_map(
    autoencoder: Autoencoder,
    dataset: Dataset,
    generator: torch.Generator,
    *,
    latents: str | list[int],
    base: str | list[float],
    index: int | None,
    extent: float,
    resolution: int,
    derivative: str,
    num_posterior: int,
    decoded: int,
    num_samples: int,
    max_pairs: int,
    batch_size: int | None,
    progress: Callable[[int, int], None] | None = None,
    share: Share = ALL_UNITS,
) -> AssayResult:
    """Map u, its divergence and its mean curvature over n x n points for each pair of latents.

    latents: [j, k]; `auto`, the informative pair with the largest M_jk + M_kj; `all`, the informative pairs in that
    order, at most `max_pairs`. M is the response matrix over `num_samples` prior draws. With fewer than two informative
    latents, `auto` and `all` take the best pair there is; the score mapped_informative and the setting `remark` say so.
    base: the point whose other latents stay: `image`, the code of image `index` (None: drawn), `prior`, 0, or D values.
    extent, resolution: both latents from -extent to extent at `resolution` values.
    derivative: `grid`, differences on the map, with errors estimated; `exact`, Jacobian-vector products, two a point.
    num_posterior: codes of images stored beside the map, at most all; decoded: decoded images a side, 0 for none.
    share: who evaluates which points of the map, see `lrx.responses.work_units`; a shard has no result, but M whole.

    Curvature is NaN at fixed points. ValueError for a setting out of range or a model with one latent.
    """
    dimensions = num_latents(autoencoder, dataset)
    _check(dimensions, latents, base, extent, derivative)
    _check_counts(resolution, num_posterior, decoded, num_samples, max_pairs, batch_size)
    index = _image(index, base, dataset)
    batch_size = batch_size or fitting_batch_size(dataset.observation_shape)
    images = image_order(dataset, generator)[: max(1, num_posterior)]
    index = int(images[0]) if index is None else index
    home = device_and_dtype_of(autoencoder)
    if base == "image":
        base_D = encode_images(autoencoder, dataset, torch.tensor([index]), batch_size=1)[0]
    else:
        base_D = (
            torch.zeros(dimensions).to(home) if base == "prior" else torch.tensor(base, dtype=torch.float64).to(home)
        )

    rows = latents if isinstance(latents, list) else list(range(dimensions))
    draws, points = num_samples * (len(rows) + 1), resolution**2
    most = 1 if latents != "all" else min(max_pairs, dimensions * (dimensions - 1) // 2)
    report = progress or (lambda done, total: None)
    response_RD, se_RD = prior_responses(
        autoencoder,
        dataset,
        rows,
        num_samples=num_samples,
        generator=generator,
        batch_size=batch_size,
        progress=lambda done: report(done, draws + most * points),
    )
    pairs, possible, informative = choose_pairs(latents, rows, response_RD, max_pairs)

    axis_n = torch.linspace(-extent, extent, resolution, dtype=torch.float64)
    spacing = float(axis_n[1] - axis_n[0])
    loop = loop_of(autoencoder) if derivative == "exact" else None
    pieces = _pieces(autoencoder, loop, base_D, pairs, axis_n, batch_size)
    total = draws + len(pairs) * points
    found = share.values(pieces, total=len(pairs) * points, progress=lambda done: report(draws + done, total))
    maps: dict[str, list[np.ndarray]] = {}
    for pair, parts in itertools.groupby(found, key=lambda part: (part[0][0], part[0][1])):
        field = [torch.cat(tensors).double() for tensors in zip(*(values for _, values in parts), strict=True)]
        z_ND = plane(base_D, pair, axis_n).double().cpu()
        for name, values in plane_field(z_ND, field, pair, spacing).items():
            maps.setdefault(name, []).append(values)

    arrays = {
        name: Array(np.stack(values), ("pair", "component", *PLANE[1:]) if name == "u" else PLANE, *MAPS[name])
        for name, values in maps.items()
    }
    chosen = np.array(pairs)
    arrays["latents"] = Array(chosen, ("pair", "component"), "1", "the two latents of each pair: along x, along y")
    arrays["base"] = Array(base_D.cpu().numpy(), ("latent",), "latent", "the point whose other latents stay")
    posterior_ND = encode_images(autoencoder, dataset, images[:num_posterior], batch_size=batch_size)
    if num_posterior:
        codes = np.moveaxis(posterior_ND.double().cpu().numpy()[:, chosen], 1, 0)
        arrays["posterior"] = Array(
            codes, ("pair", "code", "component"), "latent", "codes of images in the two latents"
        )
    if decoded:
        corner_m = torch.linspace(-extent, extent, decoded, dtype=torch.float64) if decoded > 1 else torch.zeros(1)
        planes = [decode_all(autoencoder, plane(base_D, pair, corner_m), batch_size=batch_size) for pair in pairs]
        shown = np.stack([few.reshape(decoded, decoded, *few.shape[1:]) for few in planes])
        axes = ("pair", "decoded_second", "decoded_first", *observation_axes(shown[0, 0, 0]))
        arrays["decoded"] = Array(shown, axes, observation_unit(shown), "observations decoded from the plane")
    response_PD = response_RD.numpy()
    arrays["response"] = Array(response_PD, ("row", "responding"), "latent", "response matrix, normalization none")
    arrays["response_se"] = Array(
        se_RD.numpy(), ("row", "responding"), "latent", "standard error of the response matrix"
    )
    coordinates = {
        "component": np.array(["first", "second"]),
        "first": axis_n.numpy(),
        "second": axis_n.numpy(),
        "code": images[:num_posterior].numpy(),
        "row": np.array(rows),
    }
    if decoded:
        coordinates |= dict.fromkeys(("decoded_first", "decoded_second"), corner_m.numpy())
    mapped = sorted({latent for pair in pairs for latent in pair})
    return AssayResult(
        arrays=arrays,
        coordinates={axis: labels for axis, labels in coordinates.items() if axis in _axes(arrays)},
        scores=_scores(arrays, pairs, mapped, informative),
        settings={
            "latents": latents if isinstance(latents, str) else f"{latents[0]}, {latents[1]}",
            "base": base if isinstance(base, str) else "given",
            "index": index if base == "image" else None,
            "extent": float(extent),
            "resolution": resolution,
            "derivative": derivative,
            "num_posterior": len(posterior_ND),
            "decoded": decoded,
            "num_samples": num_samples,
            "pairs_left_out": possible - len(pairs),
            "batch_size": batch_size,
            "remark": remark_on_pairs(mapped, informative),
        },
    )


def _pieces(
    autoencoder: Autoencoder,
    loop: Loop | None,
    base_D: Tensor,
    pairs: Sequence[tuple[int, int]],
    axis_n: Tensor,
    batch_size: int,
) -> Iterator[WorkUnit]:
    """Pieces of a batch of points, of the key (first latent, second, first point); values as `plane_field` has them."""

    def evaluate(z_BD: Tensor, pair: tuple[int, int]) -> Values:
        if loop is None:
            return (respond(autoencoder, z_BD, batch_size=batch_size).cpu(),)
        h_BD, columns_BD2 = jacobian_columns(loop, z_BD, list(pair), batch_size=batch_size)
        return h_BD.cpu(), columns_BD2.cpu()

    for pair in pairs:
        for number, z_BD in enumerate(torch.split(plane(base_D, pair, axis_n), batch_size)):
            yield WorkUnit((*pair, number * batch_size), len(z_BD), functools.partial(evaluate, z_BD, pair))


def _scores(
    arrays: dict[str, Array], pairs: list[tuple[int, int]], mapped: list[int], informative: set[int]
) -> dict[str, float]:
    divergence = arrays["divergence"].values
    scores = {"num_pairs": float(len(pairs)), "first_latent": float(pairs[0][0]), "second_latent": float(pairs[0][1])}
    scores["mapped_latents"] = float(len(mapped))
    scores["mapped_informative"] = float(sum(latent in informative for latent in mapped))
    scores["contracting"] = float((divergence < 0).mean())  # share of the points; a census, no estimate
    scores["divergence_median"] = float(np.median(divergence))
    scores["divergence_least"] = float(divergence.min())
    if "divergence_error" in arrays:
        scores["divergence_error_median"] = float(np.median(arrays["divergence_error"].values))
    return scores


def _axes(arrays: dict[str, Array]) -> set[str]:
    return {axis for array in arrays.values() for axis in array.axes}


def _image(index: int | None, base: str | list[float], dataset: Dataset) -> int | None:
    if index is None:
        return None
    if base != "image":
        raise SettingError(f"index={index} is the image of base=image, and has no effect on this base")
    if not is_whole(index, 0) or index >= len(dataset):
        raise SettingError(f"index must be null or a whole number from 0 to {len(dataset) - 1}, not {index!r}")
    return index


def _check(dimensions: int, latents: object, base: object, extent: float, derivative: str) -> None:
    if dimensions < 2:
        raise ValueError("assay=response_map needs a plane of two latents, and the model has one latent")
    if isinstance(latents, list):
        good = len(latents) == 2 and all(is_whole(latent, 0) and latent < dimensions for latent in latents)
        if not good or latents[0] == latents[1]:
            raise SettingError(f"latents must be two different ones of 0 to {dimensions - 1}, not {latents}")
    elif latents not in CHOICES:
        raise SettingError(f"latents must be auto, all, or two latents [j,k], not {latents!r}")
    if isinstance(base, list):
        if len(base) != dimensions or not all(is_number(value) for value in base):
            raise SettingError(f"base must be image, prior or {dimensions} numbers, not {base}")
    elif base not in BASES:
        raise SettingError(f"base must be image, prior or a list of {dimensions} numbers, not {base!r}")
    check_positive("extent", extent)
    check_choice("derivative", derivative, DERIVATIVES)


def _check_counts(
    resolution: int, num_posterior: int, decoded: int, num_samples: int, max_pairs: int, batch_size: int | None
) -> None:
    for key, value, least in (
        ("resolution", resolution, SMALLEST),
        ("num_posterior", num_posterior, 0),
        ("decoded", decoded, 0),
        ("num_samples", num_samples, 2),
        ("max_pairs", max_pairs, 1),
    ):
        check_whole(key, value, least)
    check_batch_size(batch_size)

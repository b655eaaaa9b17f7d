"""Latent traversals: walks along each informative latent from encoded images, decoded, with the response along them.

A walk sets latent j to each of S values and leaves the others at the code of an image. h_j along the walk follows the
value where the latent acts freely, and stays behind where the response saturates: `following`, the least-squares slope
of h_j over the values, is 1 for an identity and 0 for a latent that causes nothing. Source: Leeb et al. 2022
(arXiv 2106.16091), section 3. I images, W latents that are walked, S steps, D latents.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from lrx.core.types import Array, AssayResult, Autoencoder, Dataset
from lrx.core.validation import SettingError, check_batch_size, check_positive, check_whole, is_whole
from lrx.responses.encoding import encode_images, fitting_batch_size, image_order, num_latents
from lrx.responses.interventions import prior_responses
from lrx.responses.latent_response import intervene, respond
from lrx.responses.responsive import INFORMATIVE, informative_array, rule
from lrx.responses.stored_observations import decoded, observation_axes, observation_unit

CHOICES = ("informative", "all")
WALKS = ("image", "latent", "step")


def traversal(
    autoencoder: Autoencoder,
    dataset: Dataset,
    generator: torch.Generator,
    *,
    latents: str | list[int],
    images: int | list[int],
    extent: float,
    steps: int,
    num_samples: int,
    batch_size: int | None,
    progress: Callable[[int, int], None] | None = None,
) -> AssayResult:
    """Walk along latents from the codes of images, in the order of the latents' responses to themselves.

    latents: `informative` ones (see `lrx.responses.responsive`; M over `num_samples` prior draws), or all where there
    is none, which the score num_informative and the setting `remark` say; `all`; or a list.
    images: how many, drawn from the generator (at most all), or a list of their indices.
    extent, steps: each latent from -extent to extent in so many steps.

    Walks are stored as uint8 pixels, vectors as float32. ValueError for a setting out of range.
    """
    dimensions = num_latents(autoencoder, dataset)
    _check(latents, dimensions, images, len(dataset), extent)
    _check_counts(steps, num_samples, batch_size)
    batch_size = batch_size or fitting_batch_size(dataset.observation_shape)
    order = image_order(dataset, generator)
    indices_I = torch.tensor(images) if isinstance(images, list) else order[:images]
    codes_ID = encode_images(autoencoder, dataset, indices_I, batch_size=batch_size)

    rows = latents if isinstance(latents, list) else list(range(dimensions))
    draws = num_samples * (len(rows) + 1)
    points = len(codes_ID) * steps  # of one latent, each decoded and responded to
    report = progress or (lambda done, total: None)
    response_RD, se_RD = prior_responses(
        autoencoder,
        dataset,
        rows,
        num_samples=num_samples,
        generator=generator,
        batch_size=batch_size,
        progress=lambda done: report(done, draws + points * len(rows)),
    )
    places = torch.arange(len(rows)), torch.tensor(rows)
    own_R, own_se_R = response_RD[places], se_RD[places]
    informative = [place for place in range(len(rows)) if own_R[place] > INFORMATIVE]
    chosen = informative if latents == "informative" and informative else list(range(len(rows)))
    chosen = sorted(chosen, key=lambda place: -float(own_R[place]))
    walked = [rows[place] for place in chosen]

    values_S = torch.linspace(-extent, extent, steps, dtype=torch.float64)
    pictures, responses = [], []
    for number, latent in enumerate(walked):
        z_ND = intervene(codes_ID.repeat_interleave(steps, 0), latent, values_S.to(codes_ID).repeat(len(codes_ID)))
        seen = decoded(autoencoder, z_ND, batch_size=batch_size)
        pictures.append(seen.reshape(len(codes_ID), steps, *seen.shape[1:]))
        h_ND = respond(autoencoder, z_ND, batch_size=batch_size)
        responses.append(h_ND.double().cpu().numpy().reshape(len(codes_ID), steps, dimensions))
        report(draws + points * (number + 1), draws + points * len(walked))
    walks = np.stack(pictures, axis=1)
    response_IWSD = np.stack(responses, axis=1)
    own_IWS = np.stack([response_IWSD[:, place, :, latent] for place, latent in enumerate(walked)], axis=1)
    following_IW = own_IWS @ values_S.numpy() / float(values_S.square().sum())  # values are symmetric about 0

    observation, unit = observation_axes(walks[0, 0, 0]), observation_unit(walks)
    originals = decoded(autoencoder, codes_ID, batch_size=batch_size)
    arrays = {
        "walk": Array(walks, (*WALKS, *observation), unit, "observations decoded along each latent"),
        "reconstruction": Array(originals, ("image", *observation), unit, "decode of the code of each image"),
        "code": Array(codes_ID.double().cpu().numpy(), ("image", "responding"), "latent", "code of each image"),
        "response": Array(response_IWSD, (*WALKS, "responding"), "latent", "response h along the walks"),
        "own_response": Array(own_IWS, WALKS, "latent", "response of the walked latent along the walks"),
        "following": Array(
            following_IW, WALKS[:2], "1", "slope of the own response over the values: 1 for an identity"
        ),
        "self_response": Array(own_R[chosen].numpy(), WALKS[1:2], "latent", "M_jj of the response matrix, none"),
        "self_response_se": Array(own_se_R[chosen].numpy(), WALKS[1:2], "latent", "standard error of M_jj"),
        "informative": informative_array(own_R[chosen], WALKS[1]),
    }
    return AssayResult(
        arrays=arrays,
        coordinates={
            "image": indices_I.numpy(),
            "latent": np.array(walked),
            "step": values_S.numpy(),
            "responding": np.arange(dimensions),
        },
        scores=_scores(following_IW, walked, len(informative)),
        settings={
            "latents": latents if isinstance(latents, str) else ", ".join(map(str, latents)),
            "num_images": len(codes_ID),
            "extent": float(extent),
            "steps": steps,
            "num_samples": num_samples,
            "batch_size": batch_size,
            "remark": None if informative else f"no latent walked is informative, that is {rule()}",
        },
    )


def _scores(following_IW: np.ndarray, walked: list[int], informative: int) -> dict[str, float]:
    """The numbers of latents, and the mean slope with its standard error over images, where there are two."""
    scores = {"num_walked": float(len(walked)), "num_informative": float(informative)}
    scores["mean_following"] = float(following_IW.mean())
    each_I: np.ndarray = following_IW.mean(1)
    if len(each_I) > 1:
        scores["mean_following_se"] = float(each_I.std(ddof=1) / math.sqrt(len(each_I)))
    return scores


def _check(latents: object, dimensions: int, images: object, available: int, extent: object) -> None:
    if isinstance(latents, list):
        good = latents and all(is_whole(latent, 0) and latent < dimensions for latent in latents)
        if not good or len(set(latents)) < len(latents):
            raise SettingError(f"latents must be different ones of 0 to {dimensions - 1}, not {latents}")
    elif latents not in CHOICES:
        raise SettingError(f"latents must be informative, all, or a list such as [0,3], not {latents!r}")
    if isinstance(images, list):
        good = images and all(is_whole(index, 0) and index < available for index in images)
        if not good or len(set(images)) < len(images):
            raise SettingError(f"images must be a number, or different indices of 0 to {available - 1}, not {images}")
    elif not is_whole(images, 1):
        raise SettingError(f"images must be a whole number of at least 1, or a list of indices, not {images!r}")
    check_positive("extent", extent)


def _check_counts(steps: int, num_samples: int, batch_size: int | None) -> None:
    for key, value in (("steps", steps), ("num_samples", num_samples)):
        check_whole(key, value, 2)
    check_batch_size(batch_size)

"""Contract of an autoencoder, tried on a few images: what cannot be right is an error, what is doubtful a remark.

encode(x) gives the same codes (N, D) again; decode(z) the same observations again, pixels in [0, 1]; decode(encode(x))
is nearer to x than the mean image is; posterior(x) gives the codes, and deviations of at least 0. N images, D latents.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lrx.core.adapt import describe
from lrx.core.foreign_code import is_foreign, is_out_of_memory, located, packages_of, unwrapped
from lrx.core.sparse_code import SparseCode
from lrx.core.types import Autoencoder, Dataset, Probabilistic
from lrx.responses.encoding import check_deviations, eval_mode, fitting_batch_size, image_order, observations
from lrx.responses.finite import why_not_finite
from lrx.responses.output_range import pixel_remarks

NUM_IMAGES = 64  # at most
ROUNDING = 1e-3  # what another batch may change, in standard deviations of the values


def check_contract(autoencoder: Autoencoder, dataset: Dataset) -> list[str]:
    """Return a remark, with its figures, for each part of the contract that an autoencoder seems to break.

    ValueError where nothing can be right: code that raises, other shapes, values that are not finite, negative
    deviations, a decoder that draws. The same images are taken each time, and no random number of the caller is used.
    """
    if len(dataset) < 1:
        raise ValueError(f"{dataset.name} has no images")
    name = model_name(autoencoder)
    count = min(NUM_IMAGES, max(2, fitting_batch_size(dataset.observation_shape)))
    x_N = observations(autoencoder, dataset, image_order(dataset, torch.Generator().manual_seed(0))[:count])
    with eval_mode(autoencoder), torch.random.fork_rng(devices=[x_N.device] if x_N.is_cuda else []):
        z_ND = _encode(autoencoder, x_N, dataset)
        y_N = _decode(autoencoder, z_ND, x_N, dataset)
        remarks = _repetition(autoencoder, x_N, z_ND, y_N, dataset)
        if isinstance(autoencoder, Probabilistic):
            mean_ND, infinite = _posterior(autoencoder, x_N, z_ND, dataset)
            if not remarks and (change := _difference(z_ND, mean_ND)):
                remarks.append(f"{name}.encode is not the mean that its posterior has: {change}")
            if infinite:
                remarks.append(f"{name}.posterior gives {infinite} infinite of {z_ND.numel()} deviations")
    if isinstance(autoencoder, SparseCode):  # its encoder may normalise, and its decoder leaves it at that
        x_N = autoencoder.normalised(x_N)
    return [*remarks, *pixel_remarks(name, x_N, y_N, foreign=is_foreign(autoencoder))]


def model_name(autoencoder: object) -> str:
    """Return the name of a model's class; of code outside lrx with its module, of an adapter that of its model."""
    kind = type(unwrapped(autoencoder))
    return f"{kind.__module__}.{kind.__qualname__}" if is_foreign(autoencoder) else kind.__qualname__


def _encode(autoencoder: Autoencoder, x_N: Tensor, dataset: Dataset) -> Tensor:
    z_ND = _call(autoencoder, "encode", x_N, dataset)
    good = isinstance(z_ND, Tensor) and z_ND.ndim in (2, 4) and len(z_ND) == len(x_N) and z_ND.numel() > 0
    if not (good and isinstance(z_ND, Tensor) and z_ND.is_floating_point()):
        hint = "" if isinstance(z_ND, Tensor) else "; name the mean, as in autoencoder.take=0 (take=0 of lrx.adapt)"
        raise _wrong(
            autoencoder,
            "encode",
            x_N,
            dataset,
            f"it gives {describe(z_ND)}, not codes ({len(x_N)}, D) or ({len(x_N)}, C, h, w){hint}",
        )
    _check_finite(autoencoder, "encode", x_N, z_ND, dataset)
    return z_ND


def _decode(autoencoder: Autoencoder, z_ND: Tensor, x_N: Tensor, dataset: Dataset) -> Tensor:
    y_N = _call(autoencoder, "decode", z_ND, dataset)
    if not isinstance(y_N, Tensor) or y_N.shape != x_N.shape or not y_N.is_floating_point():
        reason = f"it gives {describe(y_N)}, not observations {tuple(x_N.shape)}"
        raise _wrong(autoencoder, "decode", z_ND, dataset, reason)
    _check_finite(autoencoder, "decode", z_ND, y_N, dataset)
    return y_N


def _posterior(autoencoder: Autoencoder, x_N: Tensor, z_ND: Tensor, dataset: Dataset) -> tuple[Tensor, int]:
    """Return the means (N, D) of the posteriors, and how many deviations are infinite, after checking both."""
    pair = _call(autoencoder, "posterior", x_N, dataset)
    parts = list(pair) if isinstance(pair, tuple | list) else [pair]
    tensors = [part for part in parts if isinstance(part, Tensor) and part.shape == z_ND.shape]
    if len(parts) != 2 or len(tensors) != 2:
        reason = f"it gives {describe(pair)}, not mean and standard deviation, each {tuple(z_ND.shape)}"
        raise _wrong(autoencoder, "posterior", x_N, dataset, reason)
    mean_ND, std_ND = tensors
    # a deviation may overflow, which a remark says
    _check_finite(autoencoder, "posterior", x_N, torch.cat([mean_ND, std_ND.nan_to_num(math.nan, 0.0)], 1), dataset)
    try:
        check_deviations(std_ND)
    except ValueError as error:
        raise ValueError(f"{model_name(autoencoder)}.{error}") from error
    return mean_ND, int(std_ND.isinf().sum())


def _repetition(autoencoder: Autoencoder, x_N: Tensor, z_ND: Tensor, y_N: Tensor, dataset: Dataset) -> list[str]:
    """Return remarks on values that differ when they are computed again, or of one image alone."""
    name, remarks = model_name(autoencoder), []
    if change := _difference(z_ND, _encode(autoencoder, x_N, dataset)):
        remarks.append(f"{name}.encode draws, where the mean is meant: called again, {change}")
    elif change := _difference(z_ND[:1], _encode(autoencoder, x_N[:1], dataset)):
        remarks.append(f"{name}.encode depends on the other images of a batch: of one alone, {change}")
    if change := _difference(y_N, _decode(autoencoder, z_ND, x_N, dataset)):
        raise ValueError(
            f"{name}.decode draws: called again, {change}; the noise of a decoder that draws, such as a diffusion "
            "decoder, would count as a response: fix it within decode, as by a generator of a fixed seed"
        )
    elif change := _difference(y_N[:1], _decode(autoencoder, z_ND[:1], x_N[:1], dataset)):
        remarks.append(f"{name}.decode depends on the other codes of a batch: of one alone, {change}")
    return remarks


def _difference(one: Tensor, other: Tensor) -> str:
    """Return in figures how values (N, ...) differ from others; empty where rounding explains it."""
    change = float((one.double() - other.double()).square().mean().sqrt())
    spread = float(one.double().std(correction=0))
    largest = max(1.0, float(one.double().abs().max()))  # small values may be differences of numbers of order 1
    if change <= max(ROUNDING * spread, 100 * torch.finfo(one.dtype).eps * largest):
        return ""
    return f"it differs by {change:.2g} (root mean square; the values themselves spread by {spread:.2g})"


def _call(autoencoder: Autoencoder, method: str, given: Tensor, dataset: Dataset) -> object:
    try:
        return getattr(autoencoder, method)(given)
    except Exception as error:  # whatever foreign code does
        if is_out_of_memory(error):
            raise
        reason = located(error, packages_of(autoencoder))
        raise _wrong(autoencoder, method, given, dataset, reason) from error


def _check_finite(autoencoder: Autoencoder, method: str, given: Tensor, values: Tensor, dataset: Dataset) -> None:
    wrong = int((~values.flatten(1).isfinite().all(1)).sum())
    if wrong:
        what = "some of what it is given is not finite" if not given.isfinite().all() else why_not_finite(autoencoder)
        reason = f"it gives NaN or infinities for {wrong} of {len(values)}; {what}"
        raise _wrong(autoencoder, method, given, dataset, reason)


def _wrong(autoencoder: Autoencoder, method: str, given: Tensor, dataset: Dataset, reason: str) -> ValueError:
    return ValueError(f"{model_name(autoencoder)}.{method} was tried on {dataset.name}, {tuple(given.shape)}: {reason}")

"""Latent response matrix: how far each latent's response moves when another latent is set.

M_jk = sqrt(c E[(h_k(do(z_j := v)) - h_k(z))^2]), row j intervened, column k responding; c = 1/2 for `half` and `std`,
which also divides column k by the standard deviation of h_k(z), and c = 1 for `none`.
Source: Leeb et al. 2022 (arXiv 2106.16091), section 3. N draws, D latents, T = 4 features of a draw.
h(z) is computed once and shared by all rows. Sums are in float64. Quasi-random draws come in nets of n points: the mean
of a net takes the place of a draw, and as nets are independent, their spread is an honest error (Owen 1997).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lrx.core.types import Array, AssayResult, Autoencoder, Dataset, Probabilistic
from lrx.core.validation import SettingError, check_batch_size, check_choice, check_positive, check_whole
from lrx.responses.bf16 import InBf16
from lrx.responses.draws import BASES, Block, Draws, blocks
from lrx.responses.encoding import fitting_batch_size, image_order, kl_from_prior, num_latents, posterior_of_images
from lrx.responses.interventions import BlockResponses, row_pieces
from lrx.responses.moments import Moments, feature_sums
from lrx.responses.responsive import informative_array, remark_on
from lrx.responses.work_units import ALL_UNITS, Share, Values

NORMALIZATIONS = ("half", "none", "std")
DRAWS = ("quasi", "independent")
PRECISIONS = ("float32", "bf16")
JUDGED = 16  # draws on which the rounding of bf16 is measured; with more it averages out and is smaller
ACTIVE = 0.01  # a unit is active above this variance of its posterior mean (Burda et al. 2016, section 5)
IMAGES = 1024  # images for the KL of each latent, at most


def response_matrix(
    autoencoder: Autoencoder,
    dataset: Dataset,
    generator: torch.Generator,
    *,
    base: str,
    num_samples: int,
    normalization: str,
    draws: str,
    precision: str,
    target_se: float | None,
    max_samples: int,
    batch_size: int | None,
    progress: Callable[[int, int], None] | None = None,
    share: Share = ALL_UNITS,
) -> AssayResult:
    """Estimate the response matrix (D, D) and the standard error of each entry.

    base: where z and v come from, see `lrx.responses.draws`.
    num_samples: draws, each used by every row. With `target_se` the least number: sampling goes on in blocks until no
    standard error is above the target, or `max_samples` draws are made.
    draws: of the prior, `quasi` for scrambled Sobol nets, which need fewer draws for the same error, or `independent`;
    draws from data are always independent. Of nets num_samples is rounded up to whole ones; there are 32 or more.
    precision: `float32`, the model's own, or `bf16` for passes under autocast. Then the score rounding_error is the
    largest difference that this makes to the matrix of some of the draws, and the array `rounding` each entry's.
    batch_size: responses per forward pass, None for one that fits the memory; changes no result beyond rounding.
    progress: called with the responses computed so far and the most that there can be.
    share: who evaluates which draws and rows, see `lrx.responses.work_units`; a shard has no result, and no
    `target_se`.

    Scores: num_informative (see `lrx.responses.responsive`), largest_se, and of a model with a posterior num_active.
    Settings: num_samples and target_reached say what was done, `remark` that no latent is informative.
    ValueError for a setting out of range, a base that model or data cannot give, or responses that are not finite.
    """
    _check(base, num_samples, normalization, target_se, max_samples, batch_size)
    check_choice("draws", draws, DRAWS)
    check_choice("precision", precision, PRECISIONS)
    if target_se is not None and share is not ALL_UNITS:
        raise SettingError(
            f"target_se={target_se} goes on until all draws so far are enough, which no shard knows; set "
            "num_samples instead"
        )
    batch_size = batch_size or fitting_batch_size(dataset.observation_shape)
    latents = num_latents(autoencoder, dataset)
    net = net_size(num_samples) if draws == "quasi" and base == "prior" else 1
    limit = -(-(num_samples if target_se is None else max_samples) // net) * net
    drawn = blocks(autoencoder, dataset, base=base, generator=generator, batch_size=batch_size, net=net)
    passes = autoencoder if precision == "float32" else InBf16(autoencoder)
    summed = functools.partial(row_sums, net=net)
    pieces = row_pieces(passes, drawn, latents=latents, num_samples=limit, batch_size=batch_size, summed=summed)
    total, report = limit * (latents + 1), progress or (lambda done, total: None)
    moments, reached = Moments(latents, net), False
    for (_, row), values in share.values(pieces, total=total, progress=lambda done: report(done, total)):
        moments.add(row, values)
        whole = row + len(values[0]) == latents  # all rows have seen the block
        if target_se is not None and whole and moments.count >= num_samples:
            reached = bool(moments.matrix(normalization)[1].max() <= target_se)
            if reached:
                break

    own_D = moments.matrix("none")[0].diagonal()
    arrays, scores = _named(moments, normalization, own_D)
    if precision == "bf16":
        some = next(blocks(autoencoder, dataset, base=base, generator=generator, batch_size=batch_size)).draws()
        rounding = rounding_error(autoencoder, some.first(JUDGED), normalization=normalization, batch_size=batch_size)
        words = f"difference that bf16 makes, on {JUDGED} draws"
        arrays["rounding"] = Array(rounding.numpy(), ("intervened", "responding"), arrays["matrix"].unit, words)
        scores["rounding_error"] = float(rounding.max())
    if isinstance(autoencoder, Probabilistic):
        images = image_order(dataset, generator)[: min(num_samples, IMAGES)]
        posterior = posterior_of_images(autoencoder, dataset, images, batch_size=batch_size)
        mean_ND, std_ND = (part.cpu().double() for part in posterior)
        kl_ND = kl_from_prior(mean_ND, std_ND)
        arrays["kl"] = Array(
            kl_ND.mean(0).numpy(), ("responding",), "nat", "KL of the posterior from the standard normal"
        )
        scores["num_active"] = float((mean_ND.var(0, correction=0) > ACTIVE).sum())
    labels = np.arange(latents)
    return AssayResult(
        arrays=arrays,
        coordinates={"intervened": labels, "responding": labels},
        scores=scores,
        settings={
            "base": base,
            "normalization": normalization,
            "draws": "quasi" if net > 1 else "independent",
            "net": net,
            "precision": precision,
            "num_samples": moments.count,
            "target_se": target_se,
            "target_reached": None if target_se is None else reached,
            "max_samples": max_samples,
            "batch_size": batch_size,
            "remark": remark_on(own_D),
        },
    )


def response_matrix_of(
    autoencoder: Autoencoder, block: Draws, *, normalization: str, batch_size: int
) -> tuple[Tensor, Tensor]:
    """The response matrix (D, D) over given base points and values, and its standard errors (D, D), in float64."""
    moments = Moments(block.z_ND.shape[1])
    limits = {"latents": block.z_ND.shape[1], "num_samples": len(block), "batch_size": batch_size}
    pieces = row_pieces(autoencoder, [Block(len(block), lambda: block)], summed=row_sums, **limits)
    for piece in pieces:
        moments.add(piece.key[1], piece.evaluate())
    return moments.matrix(normalization)


def net_size(num_samples: int) -> int:
    """The points of a net: a power of two of at most 32, so that there are 32 nets, whose spread is a fair error."""
    return min(32, 1 << max(0, (num_samples // 32).bit_length() - 1))


def rounding_error(autoencoder: Autoencoder, some: Draws, *, normalization: str, batch_size: int) -> Tensor:
    """How much passes in bf16 move the response matrix (D, D) over given draws."""
    exact, rounded = (
        response_matrix_of(model, some, normalization=normalization, batch_size=batch_size)[0]
        for model in (autoencoder, InBf16(autoencoder))
    )
    return (exact - rounded).abs()


def row_sums(block: BlockResponses, rows: range, *, net: int = 1) -> Values:
    """`feature_sums` of a block and some rows, about the mean of the first block's h(z)."""
    partners_ND = block.draws.partners_ND
    partners_NR = None if partners_ND is None else partners_ND[:, list(rows)]
    centre_D = block.first.h_ND.double().mean(0)
    return feature_sums(block.h_ND, block.moved(rows), partners_NR, centre_D=centre_D, net=net)


def _named(moments: Moments, normalization: str, own_D: Tensor) -> tuple[dict[str, Array], dict[str, float]]:
    """Arrays and scores of the moments, and of the responses of latents to themselves on the scale `none`."""
    matrix_DD, se_DD = moments.matrix(normalization)
    axes, unit = ("intervened", "responding"), "std of response" if normalization == "std" else "latent"
    arrays = {
        "matrix": Array(matrix_DD.numpy(), axes, unit, f"latent response matrix, normalization {normalization}"),
        "matrix_se": Array(se_DD.numpy(), axes, unit, "standard error of the latent response matrix"),
        "mean_square": Array(moments.mean_square().numpy(), axes, "latent^2", "mean square of the change of response"),
        "response_std": Array(moments.response_std().numpy(), axes[1:], "latent", "standard deviation of h(z)"),
        "informative": informative_array(own_D, "responding"),
    }
    return arrays, {"num_informative": float(arrays["informative"].values.sum()), "largest_se": float(se_DD.max())}


def _check(
    base: str, num_samples: int, normalization: str, target_se: float | None, max_samples: int, batch_size: int | None
) -> None:
    check_choice("base", base, BASES)
    check_choice("normalization", normalization, NORMALIZATIONS)
    check_whole("num_samples", num_samples, 2)
    check_batch_size(batch_size)
    check_positive("target_se", target_se, null=True)
    if target_se is not None:
        check_whole("max_samples", max_samples, num_samples, reason=", as num_samples")

"""Latent response matrix: how far each latent's response moves when another latent is set.

M_jk = sqrt(c E[(h_k(do(z_j := v)) - h_k(z))^2]), row j intervened, column k responding; c = 1/2 for `half` and `std`,
which also divides column k by the standard deviation of h_k(z), and c = 1 for `none`.
Source: Leeb et al. 2022 (arXiv 2106.16091), section 3. N draws, D latents, T = 4 features of a draw.
h(z) is computed once and shared by all rows. Sums are in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from lrx.checks import is_whole
from lrx.codes import fitting_batch_size, image_order, num_latents, posterior_of_images
from lrx.pieces import EVERYTHING, Share, Values
from lrx.responses import BASES, INFORMATIVE, Block, BlockResponses, Draws, blocks, row_pieces
from lrx.types import Array, AssayResult, Autoencoder, Dataset, Probabilistic

NORMALIZATIONS = ("half", "none", "std")
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
    target_se: float | None,
    max_samples: int,
    batch_size: int | None,
    progress: Callable[[int, int], None] | None = None,
    share: Share = EVERYTHING,
) -> AssayResult:
    """Estimate the response matrix (D, D) and the standard error of each entry.

    base: where z and v come from, see `lrx.responses.draws`.
    num_samples: draws, each used by every row. With `target_se` the least number: sampling goes on in blocks until no
    standard error is above the target, or `max_samples` draws are made.
    batch_size: responses per forward pass, None for one that fits the memory; changes no result beyond rounding.
    progress: called with the responses computed so far and the most that there can be.
    share: who evaluates which draws and rows, see `lrx.pieces`; a shard has no result, and no `target_se`.

    Scores: num_informative (M_jj > 0.5 on the scale `none`), largest_se, and of a model with a posterior num_active.
    Settings: num_samples and target_reached say what was done.
    ValueError for a setting out of range, a base that model or data cannot give, or responses that are not finite.
    """
    _check(base, num_samples, normalization, target_se, max_samples, batch_size)
    if target_se is not None and share is not EVERYTHING:
        raise ValueError(
            f"assay.target_se={target_se} goes on until all draws so far are enough, which no shard knows; set "
            "assay.num_samples instead"
        )
    batch_size = batch_size or fitting_batch_size(dataset.observation_shape)
    latents = num_latents(autoencoder, dataset)
    limit = num_samples if target_se is None else max_samples
    drawn = blocks(autoencoder, dataset, base=base, generator=generator, batch_size=batch_size)
    pieces = row_pieces(autoencoder, drawn, latents=latents, num_samples=limit, batch_size=batch_size, summed=row_sums)
    total, report = limit * (latents + 1), progress or (lambda done, total: None)
    moments, reached = Moments(latents), False
    for (_, row), values in share.values(pieces, total=total, progress=lambda done: report(done, total)):
        moments.add(row, values)
        whole = row + len(values[0]) == latents  # all rows have seen the block
        if target_se is not None and whole and moments.count >= num_samples:
            reached = bool(moments.matrix(normalization)[1].max() <= target_se)
            if reached:
                break

    arrays, scores = _named(moments, normalization)
    if isinstance(autoencoder, Probabilistic):
        images = image_order(dataset, generator)[: min(num_samples, IMAGES)]
        posterior = posterior_of_images(autoencoder, dataset, images, batch_size=batch_size)
        mean_ND, std_ND = (part.cpu().double() for part in posterior)
        kl_D = kl_per_latent(mean_ND, std_ND).numpy()
        arrays["kl"] = Array(kl_D, ("responding",), "nat", "KL of the posterior from the standard normal")
        scores["num_active"] = float((mean_ND.var(0, correction=0) > ACTIVE).sum())
    labels = np.arange(latents)
    return AssayResult(
        arrays=arrays,
        coordinates={"intervened": labels, "responding": labels},
        scores=scores,
        settings={
            "base": base,
            "normalization": normalization,
            "num_samples": moments.count,
            "target_se": target_se,
            "target_reached": None if target_se is None else reached,
            "max_samples": max_samples,
            "batch_size": batch_size,
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


def row_sums(block: BlockResponses, rows: range) -> Values:
    """`feature_sums` of a block and some rows, about the mean of the first block's h(z)."""
    partners_ND = block.draws.partners_ND
    partners_NR = None if partners_ND is None else partners_ND[:, list(rows)]
    return feature_sums(block.h_ND, block.moved(rows), partners_NR, centre_D=block.first.h_ND.double().mean(0))


def feature_sums(h_ND: Tensor, moved: Sequence[Tensor], partners_NR: Tensor | None, *, centre_D: Tensor) -> Values:
    """What `Moments` adds up of responses (N, D) at base points, and (N, D) after the intervention of each of R rows.

    Products (R, D, T, T), rounding (D,), and with partners int64 (N, R), as in `Draws`, lagged products (R, D, T, T).
    Any centre near h(z) keeps the digits of responses that hardly vary.
    """
    products, lagged = [], []
    for row, moved_ND in enumerate(moved):
        d_ND, e_ND = moved_ND.double() - h_ND.double(), h_ND.double() - centre_D
        features_NDT = torch.stack([torch.ones_like(d_ND), d_ND.square(), e_ND, e_ND.square()], dim=-1)
        products.append(torch.einsum("nks,nkt->kst", features_NDT, features_NDT))
        if partners_NR is not None:
            partners_N = partners_NR[:, row]
            draw = (partners_N < len(h_ND)).nonzero()[:, 0]
            pair = features_NDT[draw], features_NDT[partners_N[draw]]
            lagged.append(torch.einsum("nks,nkt->kst", *pair))
    rounding_D = 16 * torch.finfo(h_ND.dtype).eps * h_ND.abs().amax(0).double()
    return (torch.stack(products), rounding_D, *([torch.stack(lagged)] if lagged else []))


class Moments:
    """Streaming sums over draws of the products of the features (1, d^2, e, e^2), for each entry of the matrix.

    d = h_k(do(z_j := v)) - h_k(z), e = h_k(z) - a fixed centre. A draw and its partner (see `Draws`) share an image,
    so the variance of a mean over draws from data also needs their covariance: the lagged products.
    Memory: 32 D^2 doubles.
    """

    def __init__(self, latents: int) -> None:
        """Nothing counted yet."""
        self.products_DDTT = torch.zeros(latents, latents, 4, 4, dtype=torch.float64)
        self.lagged_DDTT = torch.zeros(latents, latents, 4, 4, dtype=torch.float64)
        self.rounding_D = torch.zeros(latents, dtype=torch.float64)

    @property
    def count(self) -> int:
        """How many draws the first row has seen, and each row once all are added."""
        return int(self.products_DDTT[0, 0, 0, 0])

    def add(self, row: int, sums: Values) -> None:
        """Add the `feature_sums` of rows from this one on."""
        products_RDTT, rounding_D, *lagged = sums
        rows = slice(row, row + len(products_RDTT))
        self.products_DDTT[rows] += products_RDTT
        for lagged_RDTT in lagged:
            self.lagged_DDTT[rows] += lagged_RDTT
        self.rounding_D = torch.maximum(self.rounding_D, rounding_D)

    def mean_square(self) -> Tensor:
        """E[d^2] (D, D)."""
        return self.products_DDTT[:, :, 0, 1] / self.count

    def response_std(self) -> Tensor:
        """The standard deviation of h(z) (D,)."""
        mean_DT = self.products_DDTT[0, :, 0] / self.count
        return (mean_DT[:, 3] - mean_DT[:, 2].square()).clamp(min=0).sqrt()

    def matrix(self, normalization: str) -> tuple[Tensor, Tensor]:
        """The response matrix (D, D) and its standard errors (D, D), by the delta method on the means.

        An exact zero (no draw moved the response) has the standard error 0, which is also the limit: the mean of N
        non-negative numbers has a standard error of at most itself, so its root has at most M / 2 (from data, where
        draws share images, sqrt(3) M / 2). A zero does not exclude moves rarer than 3 in N (95 % confidence).
        Under `std`, a response that varies by no more than rounding counts as constant: its column is 0 where it does
        not move either, and infinite where it moves.
        """
        mean_DDT = self.products_DDTT[:, :, 0] / self.count
        matrix_DD = (mean_DDT[..., 1] * (1.0 if normalization == "none" else 0.5)).sqrt()
        gradient_DDT = torch.zeros_like(mean_DDT)  # of log M by the means
        gradient_DDT[..., 1] = torch.where(mean_DDT[..., 1] > 0, 0.5 / mean_DDT[..., 1], 0.0)
        if normalization == "std":
            std_D = self.response_std()
            varies_D = std_D > self.rounding_D
            gradient_DDT[..., 2] = torch.where(varies_D, mean_DDT[..., 2] / std_D.square(), 0.0)
            gradient_DDT[..., 3] = torch.where(varies_D, -0.5 / std_D.square(), 0.0)
            constant_DD = torch.where(matrix_DD > self.rounding_D, math.inf, 0.0)
            matrix_DD = torch.where(varies_D, matrix_DD / std_D, constant_DD)
        spread_DD = _variance(self.products_DDTT / self.count, mean_DDT, gradient_DDT)
        shared_DD = _variance(self.lagged_DDTT / self.count, mean_DDT, gradient_DDT)
        relative_DD = ((spread_DD + 2 * shared_DD) / (self.count - 1)).sqrt()
        return matrix_DD, torch.where(matrix_DD.isinf(), math.inf, matrix_DD * relative_DD)


def _variance(products_DDTT: Tensor, mean_DDT: Tensor, gradient_DDT: Tensor) -> Tensor:
    """Mean product of features (whose first is 1) to the variance (D, D) along the gradient, noise below 0 cut off."""
    right_DDTT = products_DDTT - products_DDTT[..., :, :1] * mean_DDT[..., None, :]
    centred_DDTT = right_DDTT - mean_DDT[..., :, None] * right_DDTT[..., :1, :]
    return torch.einsum("jks,jkst,jkt->jk", gradient_DDT, centred_DDTT, gradient_DDT).clamp(min=0)


def kl_per_latent(mean_ND: Tensor, std_ND: Tensor) -> Tensor:
    """KL of N(mean, std^2) from the standard normal, in nats (D,), averaged over N posteriors."""
    return 0.5 * (mean_ND.square() + std_ND.square() - 2 * std_ND.log() - 1).mean(0)


def _named(moments: Moments, normalization: str) -> tuple[dict[str, Array], dict[str, float]]:
    """Arrays and scores of the moments."""
    matrix_DD, se_DD = moments.matrix(normalization)
    informative_D = moments.matrix("none")[0].diagonal() > INFORMATIVE
    axes, unit = ("intervened", "responding"), "std of response" if normalization == "std" else "latent"
    arrays = {
        "matrix": Array(matrix_DD.numpy(), axes, unit, f"latent response matrix, normalization {normalization}"),
        "matrix_se": Array(se_DD.numpy(), axes, unit, "standard error of the latent response matrix"),
        "mean_square": Array(moments.mean_square().numpy(), axes, "latent^2", "mean square of the change of response"),
        "response_std": Array(moments.response_std().numpy(), axes[1:], "latent", "standard deviation of h(z)"),
        "informative": Array(
            informative_D.numpy().astype(np.uint8), axes[1:], "1", f"1 where M_jj > {INFORMATIVE} on the scale none"
        ),
    }
    return arrays, {"num_informative": float(informative_D.sum()), "largest_se": float(se_DD.max())}


def _check(
    base: str, num_samples: int, normalization: str, target_se: float | None, max_samples: int, batch_size: int | None
) -> None:
    for key, value, choices in (("base", base, BASES), ("normalization", normalization, NORMALIZATIONS)):
        if value not in choices:
            raise ValueError(f"assay.{key} must be one of {', '.join(choices)}, not {value!r}")
    if not is_whole(num_samples, 2):
        raise ValueError(f"assay.num_samples must be a whole number of at least 2, not {num_samples!r}")
    if batch_size is not None and not is_whole(batch_size, 1):
        raise ValueError(f"assay.batch_size must be null or a whole number of at least 1, not {batch_size!r}")
    if target_se is None:
        return
    if isinstance(target_se, bool) or not isinstance(target_se, int | float) or not 0 < target_se < math.inf:
        raise ValueError(f"assay.target_se must be null or a positive number, not {target_se!r}")
    if not is_whole(max_samples, num_samples):
        least = f"assay.num_samples={num_samples}"
        raise ValueError(f"assay.max_samples must be a whole number of at least {least}, not {max_samples!r}")

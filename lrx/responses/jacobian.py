"""Jacobian J of the latent response h(z) = encode(decode(z)): in full, some of its columns, or products with probes.

J_kj = dh_k/dz_j. Columns use forward mode: a product J v takes as long as four to five responses and gives h too. The
full Jacobian and probes use reverse mode: products J^T v from one response, each as long as about two more. Probes:
E[v . J^T v] is tr J for v with independent +-1 (Hutchinson 1990).
N samples, D latents, K probes or directions, B points of a batch.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from lrx.core.progress import tell
from lrx.core.text import one_line
from lrx.core.types import Autoencoder
from lrx.responses.encoding import CachedEncoder

Loop = Callable[[Tensor], Tensor]
NO_FORWARD_MODE = ("forward AD", "forward-mode", "jvp", "functorch")  # words of torch where an operation lacks it
LETTERS = 100  # of torch's words in a warning
ColumnsFunction = Callable[..., tuple[Tensor, Tensor]]


def loop_of(autoencoder: Autoencoder) -> Loop:
    """Return h, on a copy of the model in evaluation mode with contiguous weights; the caller's model is not changed.

    torch's forward-mode GroupNorm refuses the inputs that channels_last weights give.
    """
    if isinstance(autoencoder, CachedEncoder):  # its copy would copy the data set
        assert isinstance(autoencoder.autoencoder, Autoencoder)
        autoencoder = autoencoder.autoencoder
    with torch.inference_mode(False):  # tensors of inference mode have no derivatives
        own = copy.deepcopy(autoencoder)
        if isinstance(own, nn.Module):
            own.eval().requires_grad_(False)
            own.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]

    def loop(z_BD: Tensor) -> Tensor:
        return own.encode(own.decode(z_BD))

    return loop


def jvp(loop: Loop, z_ND: Tensor, v_ND: Tensor, *, batch_size: int) -> tuple[Tensor, Tensor]:
    """Return h(z) (N, D) and J(z) v (N, D) for a vector v of each point.

    batch_size: of forward passes; half as many points are taken at a time, as their tangents need the same memory.
    ValueError when h or J v is not finite.
    """
    step = max(1, batch_size // 2)
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        # torch scripts its own forward-mode rules at their first use
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
        h_ND, jv_ND = torch.empty_like(z_ND), torch.empty_like(z_ND)
        for start in range(0, len(z_ND), step):
            part = slice(start, start + step)
            z_BD, v_BD = z_ND[part].clone(), v_ND[part].clone()  # clones: tensors outside inference mode
            h_ND[part], jv_ND[part] = torch.func.jvp(loop, (z_BD,), (v_BD,))[:2]
    return check_finite(h_ND), check_finite(jv_ND)


def vjp(loop: Loop, z_ND: Tensor, v_NDK: Tensor, *, batch_size: int) -> tuple[Tensor, Tensor]:
    """Return h(z) (N, D) and J(z)^T v (N, D, K) for K vectors v of each point.

    batch_size: of forward passes; an eighth of it is taken at a time, as the graph of the derivatives needs memory.
    ValueError when they are not finite.
    """
    step = max(1, batch_size // 8)
    with torch.inference_mode(False), torch.enable_grad():
        h_ND, product_NDK = torch.empty_like(z_ND), torch.empty_like(v_NDK)
        for start in range(0, len(z_ND), step):
            part = slice(start, start + step)
            z_BD = z_ND[part].clone().requires_grad_().clone()  # not a leaf: module hooks see no gradients of leaves
            h_BD = loop(z_BD)
            h_ND[part] = h_BD.detach()
            for k in range(v_NDK.shape[-1]):  # points of a batch are independent: one pass gives the product of each
                v_BD = v_NDK[part, :, k].clone()
                (product_BD,) = torch.autograd.grad(h_BD, z_BD, v_BD, retain_graph=True, materialize_grads=True)
                product_NDK[part, :, k] = product_BD
                tell(len(z_BD))
    return check_finite(h_ND), check_finite(product_NDK)


def full_jacobian(loop: Loop, z_ND: Tensor, *, batch_size: int) -> tuple[Tensor, Tensor]:
    """Return h(z) (N, D) and the Jacobian (N, D, D) of every point, row by row. ValueError as `vjp`."""
    rows_NDD = torch.eye(z_ND.shape[1], dtype=z_ND.dtype, device=z_ND.device).repeat(len(z_ND), 1, 1)
    h_ND, transposed_NDD = vjp(loop, z_ND, rows_NDD, batch_size=batch_size)
    return h_ND, transposed_NDD.mT


def check_finite(values: Tensor) -> Tensor:
    """Return the values; ValueError when one of them is not finite."""
    if not torch.isfinite(values).all():
        raise ValueError(
            "responses or their derivatives are not finite: the model's weights hold NaN, or codes overflow"
        )
    return values


def jacobian_columns(loop: Loop, z_ND: Tensor, latents: list[int], *, batch_size: int) -> tuple[Tensor, Tensor]:
    """Return h(z) (N, D), and the columns dh/dz_j (N, D, K) of the Jacobian for K latents."""
    columns = []
    for latent in latents:
        v_ND = torch.zeros_like(z_ND)
        v_ND[:, latent] = 1
        h_ND, column_ND = jvp(loop, z_ND, v_ND, batch_size=batch_size)
        columns.append(column_ND)
    return h_ND, torch.stack(columns, dim=-1)


def reverse_columns(loop: Loop, z_ND: Tensor, latents: list[int], *, batch_size: int) -> tuple[Tensor, Tensor]:
    """Return what `jacobian_columns` gives, from D products in reverse mode."""
    h_ND, jacobian_NDD = full_jacobian(loop, z_ND, batch_size=batch_size)
    return h_ND, jacobian_NDD[:, :, latents]


def columns_function(loop: Loop, z_D: Tensor) -> ColumnsFunction:
    """Return `jacobian_columns`; with a warning `reverse_columns`, where the model at z has no forward mode.

    Such are attention, grid_sample and functions of one's own without `jvp`.
    """
    try:
        jvp(loop, z_D[None], torch.ones_like(z_D[None]), batch_size=1)
    except RuntimeError as error:  # of operations of torch a NotImplementedError, of functions of one's own a plain one
        if not any(word in str(error) for word in NO_FORWARD_MODE):
            raise
        told = one_line(str(error)).partition(" that ")[0][:LETTERS]
        warnings.warn(
            f"the model has no forward-mode derivatives ({told}); exact derivatives take {len(z_D)} products in "
            "reverse mode for each point; derivative=grid needs none",
            stacklevel=2,
        )
        return reverse_columns
    return jacobian_columns


def hutchinson_probes(
    loop: Loop, z_ND: Tensor, count: int, *, generator: torch.Generator, batch_size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return h(z) (N, D), K probes v of independent +-1 (N, D, K) for each point, and J^T v (N, D, K).

    The probes come from the CPU generator, all at once, so that they do not depend on the batch size.
    """
    signs_KND = torch.randint(0, 2, (count, *z_ND.shape), generator=generator) * 2 - 1
    v_NDK = signs_KND.permute(1, 2, 0).to(z_ND.dtype).to(z_ND.device)
    h_ND, product_NDK = vjp(loop, z_ND, v_NDK, batch_size=batch_size)
    return h_ND, v_NDK, product_NDK


def probed_trace(v_NDK: Tensor, product_NDK: Tensor) -> tuple[Tensor, Tensor]:
    """Return tr J (N,) from probes, and its standard error (N,): the mean of v . J^T v over K >= 2 probes."""
    samples_NK = (v_NDK * product_NDK).sum(1)
    return samples_NK.mean(1), samples_NK.std(1) / samples_NK.shape[1] ** 0.5


def probed_participation(product_NDK: Tensor) -> tuple[Tensor, Tensor]:
    """Return the participation ratio (N,) of the singular values of J from K >= 3 probes, and the bias it may have.

    Both NaN where J is 0. (sum s^2)^2 and sum s^4 are means over pairs of different probes a, b, which are unbiased:
    |J^T a|^2 |J^T b|^2, and (J^T a . J^T b)^2 with mean tr (J J^T)^2. Their ratio is not: the jackknife of its
    logarithm removes the leading term of its bias, of order 1 / K (Quenouille 1956). The jackknife of the ratio itself
    mostly errs to the other side, so the difference of the two bounds what is left.
    """
    gram_NKK = torch.einsum("nda,ndb->nab", product_NDK, product_NDK)
    count = gram_NKK.shape[-1]
    square_NK, inner_NKK = gram_NKK.diagonal(dim1=1, dim2=2), gram_NKK.square()

    def ratio(sum_NX: Tensor, squares_NX: Tensor, inner_NX: Tensor) -> Tensor:
        return (sum_NX.square() - squares_NX) / (inner_NX - squares_NX)

    sums = [part.sum(1, keepdim=True) for part in (square_NK, square_NK.square(), inner_NKK.sum(2))]
    shares = (square_NK, square_NK.square(), 2 * inner_NKK.sum(2) - square_NK.square())  # of each probe
    whole_N1, without_NK = ratio(*sums), ratio(*(total - part for total, part in zip(sums, shares, strict=True)))
    ratio_N = (count * whole_N1.log() - (count - 1) * without_NK.log().mean(1, keepdim=True)).exp()[:, 0]
    plain_N = (count * whole_N1 - (count - 1) * without_NK.mean(1, keepdim=True))[:, 0]
    return ratio_N, ratio_N - plain_N


def participation(spectrum_ND: Tensor) -> Tensor:
    """Return the participation ratio (N,) of singular values s (N, D), (sum s^2)^2 / sum s^4; NaN where all are 0."""
    square_ND = spectrum_ND.square()
    return square_ND.sum(1).square() / square_ND.square().sum(1)

"""Jacobian J of the latent response h(z) = encode(decode(z)): in full, some of its columns, or products with probes.

J_kj = dh_k/dz_j. Columns and probes use forward mode: a Jacobian-vector product J v takes as long as four to five
responses and gives h too. The full Jacobian uses reverse mode, row by row from one response. Probes: E[v . J v] is
tr J for v with independent +-1 (Hutchinson 1990).
N samples, D latents, K probes or directions, B points of a batch.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from lrx.core.types import Autoencoder
from lrx.responses.encoding import CachedEncoder

Loop = Callable[[Tensor], Tensor]


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


def full_jacobian(loop: Loop, z_ND: Tensor, *, batch_size: int) -> tuple[Tensor, Tensor]:
    """Return h(z) (N, D) and the Jacobian (N, D, D) of every point.

    batch_size: of forward passes; an eighth of it is taken at a time, as the graph of the derivatives needs memory.
    ValueError when they are not finite.
    """
    step = max(1, batch_size // 8)
    with torch.inference_mode(False), torch.enable_grad():
        h_ND, jacobian_NDD = torch.empty_like(z_ND), z_ND.new_empty(*z_ND.shape, z_ND.shape[1])
        for start in range(0, len(z_ND), step):
            part = slice(start, start + step)
            z_BD = z_ND[part].clone().requires_grad_().clone()  # not a leaf: module hooks see no gradients of leaves
            h_BD = loop(z_BD)
            h_ND[part] = h_BD.detach()
            for row in range(h_BD.shape[1]):  # points of a batch are independent: one pass gives this row of each
                (row_BD,) = torch.autograd.grad(h_BD[:, row].sum(), z_BD, retain_graph=True, materialize_grads=True)
                jacobian_NDD[part, row] = row_BD
    return check_finite(h_ND), check_finite(jacobian_NDD)


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


def hutchinson_probes(
    loop: Loop, z_ND: Tensor, count: int, *, generator: torch.Generator, batch_size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return h(z) (N, D), K probes v of independent +-1 (N, D, K) for each point, and J v (N, D, K).

    The probes come from the CPU generator, all at once, so that they do not depend on the batch size.
    """
    signs_KND = torch.randint(0, 2, (count, *z_ND.shape), generator=generator) * 2 - 1
    v_KND = signs_KND.to(z_ND.dtype).to(z_ND.device)
    products = [jvp(loop, z_ND, v_ND, batch_size=batch_size) for v_ND in v_KND]
    return products[0][0], v_KND.permute(1, 2, 0), torch.stack([jv_ND for _, jv_ND in products], dim=-1)


def probed_trace(v_NDK: Tensor, jv_NDK: Tensor) -> tuple[Tensor, Tensor]:
    """Return tr J (N,) from probes, and its standard error (N,): the mean of v . J v over K >= 2 probes."""
    samples_NK = (v_NDK * jv_NDK).sum(1)
    return samples_NK.mean(1), samples_NK.std(1) / samples_NK.shape[1] ** 0.5


def probed_participation(jv_NDK: Tensor) -> Tensor:
    """Return the participation ratio (N,) of the singular values s of J, (sum s^2)^2 / sum s^4, from K >= 2 probes.

    Both sums are means over pairs of different probes a, b, which are unbiased: |Ja|^2 |Jb|^2, and (Ja . Jb)^2 with
    mean tr (J^T J)^2. Their ratio is consistent in K. NaN where J is 0.
    """
    gram_NKK = torch.einsum("nda,ndb->nab", jv_NDK, jv_NDK)
    square_NK = gram_NKK.diagonal(dim1=1, dim2=2)
    different = 1 - torch.eye(gram_NKK.shape[-1], dtype=gram_NKK.dtype, device=gram_NKK.device)
    outer_N = (square_NK[:, :, None] * square_NK[:, None, :] * different).sum((1, 2))
    return outer_N / (gram_NKK.square() * different).sum((1, 2))


def participation(spectrum_ND: Tensor) -> Tensor:
    """Return the participation ratio (N,) of singular values s (N, D), (sum s^2)^2 / sum s^4; NaN where all are 0."""
    square_ND = spectrum_ND.square()
    return square_ND.sum(1).square() / square_ND.square().sum(1)

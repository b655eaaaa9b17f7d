"""Latent response and interventions: h(z) = encode(decode(z)) and do(z_j := v).

Source: Leeb et al. 2022 (arXiv 2106.16091), section 3. N samples, D latents, B observations of a batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lrx.core.progress import tell
from lrx.core.types import Autoencoder
from lrx.responses.encoding import eval_mode
from lrx.responses.finite import why_not_finite

POINTS = 1024  # responses of a work unit, at most, unless one row of a block has more draws


def respond(autoencoder: Autoencoder, z_ND: Tensor, *, batch_size: int) -> Tensor:
    """Return the response h(z) (N, D) of latents z (N, D), in their dtype and on their device, `batch_size` at a time.

    The decoder's output goes to the encoder unchanged, in the memory format that it has.
    ValueError when the encoder gives another number of latents, or a response is not finite.
    """
    h_ND = torch.empty_like(z_ND)  # outside inference mode, so that the caller may differentiate what follows
    with eval_mode(autoencoder):
        for start in range(0, len(z_ND), batch_size):
            z_BD = z_ND[start : start + batch_size]
            h_BD = autoencoder.encode(autoencoder.decode(z_BD))
            if h_BD.shape != z_BD.shape:
                raise ValueError(f"encode(decode(z)) turns {tuple(z_BD.shape)} into {tuple(h_BD.shape)}, not the same")
            h_ND[start : start + batch_size] = h_BD
            tell(len(z_BD))
    if not torch.isfinite(h_ND).all():
        raise ValueError(f"the responses of the model are not finite: {why_not_finite(autoencoder)}")
    return h_ND


def intervene(z_ND: Tensor, latent: int | Tensor, values_N: Tensor) -> Tensor:
    """Return do(z_latent := v): a copy of z (N, D) with one column replaced by the values (N,).

    latent: also several, int64 (m,), with values (N, m).
    """
    set_ND = z_ND.clone()
    set_ND[:, latent] = values_N
    return set_ND

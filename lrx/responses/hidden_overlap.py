"""Hidden overlap: features whose decoder directions overlap while the response of one to the other is near 0.

It is the sign of feature absorption (Chanin et al. 2024, arXiv 2409.14507): a child's direction holds that of its
parent, and the parent's encoder does not read it. Responses do not show it, because nothing responds. Closed form: with
w_j a row of the decoder and G = W_dec W_enc,

    cos_jk = w_j w_k / (|w_j| |w_k|),    g_jk = (G_jk / |w_j|) / (G_kk / |w_k|),

both 1 for k = j; g_jk is cos_jk where k's encoder reads along its own decoder direction. B rows j, D features k, Q
pairs.
"""

from __future__ import annotations

import torch
from torch import Tensor

Pairs = tuple[Tensor, Tensor, Tensor]


def hidden_overlap(
    decoder_DP: Tensor, own_D: Tensor, *, features_B: Tensor, g_BD: Tensor, cosine: float, response: float
) -> tuple[Tensor, Pairs]:
    """Return how many features k overlap with each row j and do not respond (B,), and these pairs.

    own_D: the diagonal of G. g_BD: rows of G. cosine, response: a pair has cos_jk >= cosine and |g_jk| <= response.
    Pairs: int64 (Q, 2) of j and k, cos (Q,), g (Q,), in falling order of cos. Features without direction have none.
    """
    norm_D = decoder_DP.norm(dim=1)
    w_BP, norm_B1 = decoder_DP[features_B], norm_D[features_B, None]
    cos_BD = (w_BP @ decoder_DP.T).div_(norm_B1 * norm_D)
    relative_BD = (g_BD / norm_B1).div_(own_D / norm_D)
    is_hidden_BD = (cos_BD >= cosine) & (relative_BD.abs() <= response)
    is_hidden_BD[torch.arange(len(features_B)), features_B] = False
    row_Q, k_Q = is_hidden_BD.nonzero(as_tuple=True)
    cos_Q, relative_Q = cos_BD[row_Q, k_Q], relative_BD[row_Q, k_Q]
    order = cos_Q.argsort(descending=True, stable=True)
    pairs_Q2 = torch.stack([features_B[row_Q], k_Q], dim=1)
    return is_hidden_BD.sum(1), (pairs_Q2[order], cos_Q[order], relative_Q[order])

"""Contract of a sparse code, whose response to an intervention is known without a pass of a network.

N vectors of P numbers, D features. With f a code, w_j row j of the decoder and p the preactivations, do(f_j := v) adds
(v - f_j) G_jk to p_k, where G = W_dec W_enc, whatever else is active.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from lrx.core.types import Autoencoder

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class SparseCode(Autoencoder, Protocol):
    """Autoencoder with a linear decoder and an encoder that is linear but for its activation and its normalisation.

    decoder_DP: a row for each feature.
    """

    decoder_DP: Tensor

    def normalised(self, x_NP: Tensor) -> Tensor:
        """Vectors (N, P) in the units of what is decoded."""
        ...

    def preactivations(self, x_NP: Tensor) -> Tensor:
        """Vectors (N, P) to preactivations (N, D)."""
        ...

    def activate(self, p_ND: Tensor) -> Tensor:
        """Preactivations (N, D) to codes (N, D)."""
        ...

    def rows_of_g(self, w_BP: Tensor) -> Tensor:
        """Decoder rows (B, P) to rows of G (B, D)."""
        ...

    def after_setting(self, p_ND: Tensor, x_NP: Tensor, change_N: Tensor, *, w_P: Tensor, g_D: Tensor) -> Tensor:
        """Return the preactivations (N, D) of x + change w, given those of x, the decoder's row w and its row of G."""
        ...

    def own_gains(self) -> Tensor:
        """Return the diagonal of G (D,)."""
        ...

"""Sparse autoencoder of activations: f = activation(W_enc (x - b_in)), x = W_dec f + b_dec; imported, not trained here.

One class for the kinds that people publish. With p = W_enc (x - b_in), a feature is active where p + gate_bias >
threshold, and then has max(0, scale p + bias): standard (gate_bias = bias, threshold 0), JumpReLU (a threshold;
Rajamanoharan et al. 2024, arXiv 2407.14435), gated (gate_bias and scale of its own; arXiv 2404.16014). TopK (Gao et al.
2024, arXiv 2406.04093) keeps the k largest. N vectors of P numbers, D features.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from lrx.core.validation import SettingError, check_choice, check_whole

DTYPES = {"float32": torch.float32, "float64": torch.float64}
COLUMNS = 4096  # of the encoder that are transposed at a time
EPS = 1e-5  # of SAELens' layer_norm
Normalise = Callable[[Tensor], tuple[Tensor, Tensor]]


def constant_norm(x_NP: Tensor) -> tuple[Tensor, Tensor]:
    """Return vectors as they are, and the factors (N, 1) that give them the length sqrt(P)."""
    return x_NP, math.sqrt(x_NP.shape[1]) / x_NP.norm(dim=1, keepdim=True)


def layer_norm(x_NP: Tensor) -> tuple[Tensor, Tensor]:
    """Return vectors less the mean of their numbers, and the factors (N, 1) that give them the deviation 1."""
    centred_NP = x_NP - x_NP.mean(1, keepdim=True)
    return centred_NP, 1 / (centred_NP.std(1, keepdim=True) + EPS)


# Linear part of a normalisation, and the factor that it then multiplies a vector by.
NORMALISATIONS: dict[str, Normalise | None] = {
    "none": None,
    "constant_norm_rescale": constant_norm,
    "layer_norm": layer_norm,
}


class SparseAutoencoder(nn.Module):
    """Sparse autoencoder of vectors (P,), see `lrx.core.sparse_code.SparseCode`.

    k: the number of features that may be active; None where each has a threshold of its own.
    normalisation: of the encoder's input, one of NORMALISATIONS. Decoded vectors are in normalised units then: a code
        does not hold the length of the vector that it came from, and encode takes none.
    """

    def __init__(
        self, *, observation_shape: Sequence[int], latent_dim: int, k: int | None, normalisation: str, dtype: str
    ) -> None:
        super().__init__()
        check_whole("latent_dim", latent_dim, 1)
        check_whole("k", k, 1, null=True)
        check_choice("normalisation", normalisation, tuple(NORMALISATIONS))
        check_choice("dtype", dtype, tuple(DTYPES))
        if len(observation_shape) != 1:
            shape = tuple(observation_shape)
            raise SettingError(f"observation_shape must be that of vectors (P,), of which it is a code, not {shape}")
        if k is not None and k > latent_dim:
            raise SettingError(f"k must be at most the number of features, {latent_dim}, not {k}")
        (size,) = observation_shape
        self.observation_shape, self.latent_dim, self.k = (size,), latent_dim, k
        self._normalise = NORMALISATIONS[normalisation]
        shapes: dict[str, tuple[int, ...]] = {"encoder_PD": (size, latent_dim), "decoder_DP": (latent_dim, size)}
        shapes |= {"input_bias_P": (size,), "decoder_bias_P": (size,)}
        shapes |= dict.fromkeys(("scale_D", "bias_D", "gate_bias_D", "threshold_D"), (latent_dim,))
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape, dtype=DTYPES[dtype]))

    encoder_PD: Tensor
    decoder_DP: Tensor
    input_bias_P: Tensor
    decoder_bias_P: Tensor
    scale_D: Tensor
    bias_D: Tensor
    gate_bias_D: Tensor
    threshold_D: Tensor

    def encode(self, x: Tensor) -> Tensor:
        """Vectors (N, P) to codes (N, D)."""
        return self.activate(self.preactivations(x))

    def decode(self, z: Tensor) -> Tensor:
        """Codes (N, D) to vectors (N, P)."""
        return z @ self.decoder_DP + self.decoder_bias_P

    def normalised(self, x_NP: Tensor) -> Tensor:
        """Vectors (N, P) in the units of what is decoded."""
        if self._normalise is None:
            return x_NP
        linear_NP, factor_N = self._normalise(x_NP)
        return linear_NP * factor_N

    def preactivations(self, x_NP: Tensor) -> Tensor:
        """Vectors (N, P) to preactivations (N, D)."""
        return (self.normalised(x_NP) - self.input_bias_P) @ self.encoder_PD

    def activate(self, p_ND: Tensor) -> Tensor:
        """Preactivations (N, D) to codes (N, D)."""
        magnitude_ND = p_ND * self.scale_D + self.bias_D
        if self.k is None:
            return magnitude_ND.clamp_(min=0).mul_(p_ND + self.gate_bias_D > self.threshold_D)
        values_NK, places_NK = magnitude_ND.topk(self.k, dim=1, sorted=False)
        return torch.zeros_like(magnitude_ND).scatter_(1, places_NK, values_NK.clamp(min=0))

    def rows_of_g(self, w_BP: Tensor) -> Tensor:
        """Decoder rows (B, P) to rows of G (B, D), of the linear part of the normalisation."""
        return (w_BP if self._normalise is None else self._normalise(w_BP)[0]) @ self.encoder_PD

    def own_gains(self) -> Tensor:
        """Return the diagonal of G (D,)."""
        w_DP = self.decoder_DP if self._normalise is None else self._normalise(self.decoder_DP)[0]
        parts = zip(torch.split(w_DP, COLUMNS), torch.split(self.encoder_PD, COLUMNS, dim=1), strict=True)
        return torch.cat([(w_BP * encoder_PB.T).sum(1) for w_BP, encoder_PB in parts])

    def after_setting(self, p_ND: Tensor, x_NP: Tensor, change_N: Tensor, *, w_P: Tensor, g_D: Tensor) -> Tensor:
        """Return the preactivations (N, D) of x + change w, given those of x, the decoder's row w and its row of G.

        A normalisation multiplies all of them by one factor, the new one over the one before.
        """
        if self._normalise is None:
            return p_ND + change_N[:, None] * g_D
        before_N1, after_N1 = (self._normalise(x)[1] for x in (x_NP, x_NP + change_N[:, None] * w_P))
        ratio_N1, offset_D = after_N1 / before_N1, self.input_bias_P @ self.encoder_PD
        return ratio_N1 * (p_ND + offset_D) - offset_D + after_N1 * change_N[:, None] * g_D

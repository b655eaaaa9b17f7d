"""Sparse codes with known answers, and vectors that they encode."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lrx.core.types import Dataset
from lrx.data.in_memory import as_dataset
from lrx.models.sparse_autoencoder import SparseAutoencoder

KINDS = ("standard", "jumprelu", "gated", "topk", "constant_norm_rescale", "layer_norm")


def model_of(
    encoder_PD: Tensor, decoder_DP: Tensor, *, k: int | None = None, normalisation: str = "none", **tensors: Tensor
) -> SparseAutoencoder:
    """A model in float64 of these weights; other tensors by their names, else 0, and the scale 1."""
    size, features = encoder_PD.shape
    model = SparseAutoencoder(
        observation_shape=(size,), latent_dim=features, k=k, normalisation=normalisation, dtype="float64"
    )
    given = {"encoder_PD": encoder_PD, "decoder_DP": decoder_DP, "scale_D": torch.ones(features), **tensors}
    model.load_state_dict({**model.state_dict(), **given})
    return model


def random_model(kind: str, size: int = 6, features: int = 20) -> SparseAutoencoder:
    """A model of one of KINDS with random weights."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int, scale: float = 0.5) -> Tensor:
        return scale * torch.randn(*shape, generator=generator, dtype=torch.float64)

    bias = draw(features)
    gate = {
        "jumprelu": {"gate_bias_D": bias, "threshold_D": draw(features).abs()},
        "gated": {"gate_bias_D": draw(features), "scale_D": draw(features).exp()},
    }.get(kind, {"gate_bias_D": bias})
    return model_of(
        draw(size, features),
        draw(features, size),
        k=5 if kind == "topk" else None,
        normalisation=kind if kind in KINDS[-2:] else "none",
        bias_D=bias,
        input_bias_P=draw(size),
        decoder_bias_P=draw(size),
        **gate,
    )


def orthonormal(size: int = 6) -> Tensor:
    """An orthonormal dictionary (D, P) with as many features as numbers."""
    generator = torch.Generator().manual_seed(1)
    q, _ = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    return q


def sparse_vectors(decoder_DP: Tensor, count: int = 400, active: float = 0.3) -> Dataset:
    """Sums of features, each active on a part of the vectors, with activations from 1 to 2."""
    generator = torch.Generator().manual_seed(2)
    shape = count, len(decoder_DP)
    is_active = torch.rand(*shape, generator=generator) < active
    codes = is_active * (1 + torch.rand(*shape, generator=generator, dtype=torch.float64))
    return as_dataset((codes @ decoder_DP).numpy().astype(np.float32), name="sums")


def random_vectors(size: int = 6, count: int = 300) -> Dataset:
    return as_dataset(np.random.default_rng(3).normal(size=(count, size)).astype(np.float32), name="random")

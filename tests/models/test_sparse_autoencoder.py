"""Sparse autoencoders: each activation by its formula, and settings that do not fit."""

from __future__ import annotations

import pytest
import torch

from lrx.core.sparse_code import SparseCode
from lrx.core.validation import SettingError
from lrx.models.sparse_autoencoder import SparseAutoencoder
from tests.support.sparse_codes import KINDS, model_of, random_model

EYE = torch.eye(3, dtype=torch.float64)
X = torch.tensor([[0.5, -1.0, 2.0]], dtype=torch.float64)


def numbers(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_standard_activation() -> None:
    model = model_of(EYE, EYE, bias_D=numbers(0.1, 0.1, -3), gate_bias_D=numbers(0.1, 0.1, -3))
    torch.testing.assert_close(model.encode(X), numbers(0.6, 0, 0)[None])


def test_jumprelu_activation() -> None:
    model = model_of(EYE, EYE, threshold_D=numbers(0.5, -5, 1))  # 0.5 is not above its threshold
    torch.testing.assert_close(model.encode(X), numbers(0, 0, 2)[None])


def test_gated_activation() -> None:
    gate = numbers(-1, 2, 0)
    model = model_of(EYE, EYE, gate_bias_D=gate, scale_D=numbers(2, 2, 2), bias_D=numbers(1, 3, 1))
    torch.testing.assert_close(model.encode(X), numbers(0, 1, 5)[None])


def test_topk_activation() -> None:
    torch.testing.assert_close(model_of(EYE, EYE, k=1).encode(X), numbers(0, 0, 2)[None])
    torch.testing.assert_close(model_of(EYE, EYE, k=3).encode(X), numbers(0.5, 0, 2)[None])  # never below 0


def test_biases_of_input_and_decoder() -> None:
    model = model_of(EYE, 2 * EYE, input_bias_P=numbers(0, -2, 0), decoder_bias_P=numbers(1, 0, 0))
    torch.testing.assert_close(model.encode(X), numbers(0.5, 1, 2)[None])
    torch.testing.assert_close(model.decode(model.encode(X)), numbers(2, 2, 4)[None])


def test_response_does_not_depend_on_length() -> None:
    model = model_of(EYE, EYE, normalisation="constant_norm_rescale")
    torch.testing.assert_close(model.encode(X), model.encode(7 * X))
    torch.testing.assert_close(model.normalised(X).norm(), numbers(3)[0].sqrt())


@pytest.mark.parametrize("kind", KINDS)
def test_diagonal_of_g(kind: str) -> None:
    model = random_model(kind)
    assert isinstance(model, SparseCode)
    torch.testing.assert_close(model.own_gains(), model.rows_of_g(model.decoder_DP).diagonal())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"observation_shape": (1, 8, 8)}, "observation_shape must be that of vectors"),
        ({"k": 13}, "k must be at most the number of features, 12"),
        ({"k": 0}, "k must be null or a whole number of at least 1"),
        ({"normalisation": "batch"}, "normalisation must be one of none, constant_norm_rescale, layer_norm"),
        ({"dtype": "int8"}, "dtype must be one of float32, float64"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, object], words: str) -> None:
    good: dict[str, object] = {"observation_shape": (8,), "latent_dim": 12, "k": None, "normalisation": "none"}
    with pytest.raises(SettingError, match=words):
        SparseAutoencoder(**{**good, "dtype": "float32", **settings})  # type: ignore[arg-type]

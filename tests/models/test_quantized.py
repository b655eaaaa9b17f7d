"""Quantised autoencoders: codes, losses and gradients worked out by hand, and the weight decay."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lrx.core.types import Quantized
from lrx.models.autoencoder import NetworkAutoencoder
from lrx.models.fsq import FSQ
from lrx.models.networks.mlp import mlp
from lrx.models.qlae import QLAE
from lrx.models.quantized import nearest, straight_through
from tests.support.models_for_tests import one_thread as one_thread

P, D, B = 5, 3, 7  # numbers of an observation, latents, observations
QLAE_SETTINGS = {"values": 4, "quantization": 0.03, "commitment": 0.02, "weight_decay": 0.1}
FSQ_SETTINGS = {"values": 6, "saturation": 0.0, "weight_decay": 0.0}


def built(kind: type[NetworkAutoencoder], **own: Any) -> Any:
    torch.manual_seed(0)
    network = functools.partial(mlp, hidden=[8], activation="elu", spread="log_std")
    settings = {"observation_shape": (P,), "latent_dim": D, "reconstruction": "gaussian", "variance": 0.5}
    return kind(network=network, **settings, **own).double()


def observations(scale: float = 1.0) -> Tensor:
    return scale * torch.randn(B, P, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def by_hand(model: Any, x: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return codes c, nearest values q (B, D) and the number of each in the codebook, by loops."""
    code, book = model.continuous(x).detach().numpy(), model.codebook.detach().numpy()
    places = np.array([[np.argmin(np.abs(book[j] - code[i, j])) for j in range(D)] for i in range(B)])
    return code, np.take_along_axis(book.T, places, axis=0), places


def loss_of(model: Any, x: Tensor) -> dict[str, Tensor]:
    losses: dict[str, Tensor] = model.loss(x, step=0, generator=torch.Generator())
    return losses


@pytest.mark.parametrize(("kind", "own"), [(QLAE, QLAE_SETTINGS), (FSQ, FSQ_SETTINGS)])
def test_codes_are_exactly_latent_values(kind: type[NetworkAutoencoder], own: dict[str, Any]) -> None:
    model = built(kind, **own).float()
    if kind is QLAE:
        torch.nn.init.normal_(model.codebook)
    assert isinstance(model, Quantized)
    values, codes = model.latent_values(), model.encode(observations(5.0).float())
    assert values.shape == (D, own["values"])
    assert (values.diff(dim=1) >= 0).all()
    assert (codes[:, :, None] == values).any(2).all()
    assert len({*codes[:, 0].tolist()}) > 1
    assert not hasattr(model, "posterior")


def test_fsq_rounds_scaled_tanh() -> None:
    model, x = built(FSQ, **FSQ_SETTINGS), observations(5.0)
    bounded = np.tanh(model.encoder(x).detach().numpy())
    expected = 2 * np.round((bounded + 1) / 2 * 5) / 5 - 1
    np.testing.assert_allclose(model.encode(x).detach().numpy(), expected, atol=1e-15)
    assert model.latent_values()[0].tolist() == pytest.approx([-1, -0.6, -0.2, 0.2, 0.6, 1])


def test_qlae_losses_by_hand() -> None:
    model, x = built(QLAE, **QLAE_SETTINGS), observations()
    code, quantized, _ = by_hand(model, x)
    output = model.decoder(torch.from_numpy(quantized)).detach().numpy()
    reconstruction = np.square(output - x.numpy()).sum() / B  # over twice the variance, which is 1
    squares = np.square(code - quantized).mean()
    losses = {name: value.item() for name, value in loss_of(model, x).items()}
    assert losses["reconstruction"] == pytest.approx(reconstruction, rel=1e-6)  # which is taken in float32
    assert losses["quantization"] == pytest.approx(squares, rel=1e-12)
    assert losses["commitment"] == pytest.approx(squares, rel=1e-12)
    assert losses["loss"] == pytest.approx(losses["reconstruction"] + P * (0.03 + 0.02) * squares, rel=1e-12)


def test_codebook_gradient_by_hand() -> None:
    model, x = built(QLAE, **QLAE_SETTINGS), observations()
    code, quantized, places = by_hand(model, x)
    expected = np.zeros((D, 4))
    for i in range(B):
        for j in range(D):
            expected[j, places[i, j]] += P * 0.03 * 2 * (quantized[i, j] - code[i, j]) / (B * D)
    loss_of(model, x)["loss"].backward()
    np.testing.assert_allclose(model.codebook.grad.numpy(), expected, atol=1e-15)


@pytest.mark.parametrize(("kind", "own"), [(QLAE, QLAE_SETTINGS), (FSQ, FSQ_SETTINGS)])
def test_encoder_gradient_by_hand(kind: type[NetworkAutoencoder], own: dict[str, Any]) -> None:
    """The gradient by the last bias of the encoder: that by the decoder's input, times what lies between."""
    model, x = built(kind, **own), observations()
    raw = model.encoder(x).detach()
    given = model.encode(x).detach().requires_grad_()
    (by_input,) = torch.autograd.grad((model.decoder(given) - x).square().sum() / B, given)
    if kind is FSQ:
        expected = (by_input * (1 - raw.tanh().square())).sum(0)
    else:
        expected = (by_input + P * 0.02 * 2 * (raw - given.detach()) / (B * D)).sum(0)
    loss_of(model, x)["loss"].backward()
    torch.testing.assert_close(model.encoder[-1].bias.grad, expected, rtol=1e-5, atol=1e-6)


def test_straight_through_is_exact_and_passes_gradient() -> None:
    code = torch.tensor([[0.1, 1e6, -3.0]], requires_grad=True)
    quantized = nearest(code, torch.tensor([[0.3, 7.0]]).expand(3, -1))
    assert quantized.tolist() == [[pytest.approx(0.3), 7.0, pytest.approx(0.3)]]
    through = straight_through(code, quantized)
    assert torch.equal(through, quantized)
    (gradient,) = torch.autograd.grad((through * torch.tensor([1.0, 2.0, 3.0])).sum(), code)
    assert gradient.tolist() == [[1.0, 2.0, 3.0]]


def test_weight_decay_equals_adamw_of_weights() -> None:
    """Weights decay as AdamW's; biases and codebook are those of Adam without."""
    x = observations()
    grouped, plain = built(QLAE, **QLAE_SETTINGS), built(QLAE, **QLAE_SETTINGS)
    weights = [value for name, value in plain.named_parameters() if name.endswith("weight")]
    others = [value for name, value in plain.named_parameters() if not name.endswith("weight")]
    assert any(value is plain.codebook for value in others)
    ours = [torch.optim.Adam(grouped.parameter_groups(), 0.01)]
    theirs = [torch.optim.AdamW(weights, 0.01, weight_decay=0.1), torch.optim.Adam(others, 0.01)]
    for _ in range(3):
        for model, optimizers in ((grouped, ours), (plain, theirs)):
            model.zero_grad()
            loss_of(model, x)["loss"].backward()
            for optimizer in optimizers:
                optimizer.step()
    for one, other in zip(grouped.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-15)


def test_codes_are_values_under_autocast() -> None:
    for model in (built(QLAE, **QLAE_SETTINGS).float(), built(FSQ, **FSQ_SETTINGS).float()):
        with torch.autocast("cpu", torch.bfloat16):
            codes, losses = model.encode(observations().float()), loss_of(model, observations().float())
        assert codes.dtype == torch.float32
        assert (codes[:, :, None] == model.latent_values()).any(2).all()
        assert losses["loss"].dtype == torch.float32
        assert losses["loss"].isfinite()


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"values": 1}, "values must be a whole number of at least 2, not 1"),
        ({"quantization": -1}, "quantization must be a number of at least 0, not -1"),
        ({"commitment": None}, "commitment must be a number of at least 0, not None"),
        ({"weight_decay": "x"}, "weight_decay must be a number of at least 0, not 'x'"),
    ],
)
def test_invalid_settings_are_refused(own: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        built(QLAE, **(QLAE_SETTINGS | own))


def test_fsq_weighs_what_saturates_tanh() -> None:
    plain, x = built(FSQ, **FSQ_SETTINGS), observations(5.0)
    weighed = built(FSQ, **{**FSQ_SETTINGS, "saturation": 0.25})
    weighed.load_state_dict(plain.state_dict())
    generator = torch.Generator()
    terms = weighed.loss(x, step=0, generator=generator)
    before = weighed.encoder(x)
    expected = plain.loss(x, step=0, generator=generator)["loss"] + 0.25 * x[0].numel() * (before**2).mean()
    assert torch.allclose(terms["loss"], expected)
    assert torch.allclose(terms["saturation"], (before**2).mean())

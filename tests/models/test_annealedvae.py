"""The annealed VAE: its schedule by hand, and its loss from its parts."""

from __future__ import annotations

import functools

import pytest
import torch

from lrx.models.annealedvae import AnnealedVAE
from lrx.models.networks.mlp import mlp

X = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def annealed(**own: object) -> AnnealedVAE:
    torch.manual_seed(0)
    settings = {"gamma": 10.0, "c_max": 20.0, "anneal_steps": 100, "kl": "exact", **own}
    return AnnealedVAE(
        network=functools.partial(mlp, hidden=[8], activation="elu", spread="log_std"),
        observation_shape=(1, 4, 4),
        latent_dim=3,
        reconstruction="bernoulli",
        variance=1.0,
        **settings,  # type: ignore[arg-type]
    )


def test_capacity_schedule() -> None:
    model = annealed()
    assert [model.capacity(step) for step in (0, 25, 50, 100, 1000)] == [0, 5, 10, 20, 20]
    assert annealed(anneal_steps=1).capacity(1) == 20


def test_loss_by_hand() -> None:
    model = annealed()
    for step in (0, 50):  # the KL of an untrained network lies between the capacities of these steps
        found = {k: v.item() for k, v in model.loss(X, step=step, generator=torch.Generator().manual_seed(1)).items()}
        assert found["capacity"] == step / 5
        sign = 1 if step == 0 else -1
        assert sign * (found["kl"] - found["capacity"]) > 0
        expected = found["reconstruction"] + 10 * sign * (found["kl"] - found["capacity"])
        assert found["loss"] == pytest.approx(expected, rel=1e-5)


def test_bad_settings_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"gamma must be a number of at least 0, not -1"):
        annealed(gamma=-1)
    with pytest.raises(ValueError, match=r"c_max must be a number of at least 0, not inf"):
        annealed(c_max=float("inf"))
    for wrong in (0, 2.5, True):
        with pytest.raises(ValueError, match=rf"anneal_steps must be a whole number of at least 1, not {wrong}"):
            annealed(anneal_steps=wrong)

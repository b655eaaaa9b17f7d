"""Objectives with rates or batches of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from lrx.core.types import Dataset, as_float
from lrx.data.helix import double_helix
from lrx.models.betavae import BetaVAE
from lrx.training.loop import BatchOrder, derived_seed
from tests.training.test_loop import SETTINGS, assert_same, helix_model, train_model


class TwoRates(BetaVAE):
    """A model that trains its decoder ten times as fast, with other betas."""

    def parameter_groups(self) -> list[dict[str, object]]:
        """The decoder's group has values of its own."""
        return [
            {"params": list(self.encoder.parameters())},
            {"params": list(self.decoder.parameters()), "lr": 0.1, "betas": (0.5, 0.9)},
        ]


class Twins(BetaVAE):
    """A model that learns from pairs, and remembers its batches."""

    seen: ClassVar[list[torch.Tensor]] = []

    def partners(self, dataset: Dataset, indices: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Random partners among the first ten."""
        return torch.randint(10, indices.shape, generator=generator)

    def loss(self, x: torch.Tensor, *, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Keep the batch."""
        self.seen.append(x)
        return super().loss(x, step=step, generator=generator)


def test_parameter_groups_keep_their_rates(tmp_path: Path) -> None:
    settings = replace(SETTINGS, steps=4, warmup_steps=4)
    train_model(helix_model(kind=TwoRates), tmp_path / "c.pt", replace(settings, steps=3))
    content = torch.load(tmp_path / "c.pt", weights_only=True)["optimizer"]["param_groups"]
    assert [group["lr"] for group in content] == pytest.approx([0.0075, 0.075])  # three quarters of the way up
    assert [tuple(group["betas"]) for group in content] == [(0.9, 0.999), (0.5, 0.9)]


def test_parameter_groups_equal_two_optimisers(tmp_path: Path) -> None:
    trained = helix_model(kind=TwoRates)
    train_model(trained, tmp_path / "c.pt", replace(SETTINGS, checkpoint_every=100))
    model, data = helix_model(), double_helix(num_points=256, noise=0.1, seed=0)
    one = torch.optim.Adam(model.encoder.parameters(), 0.01, fused=True)
    other = torch.optim.Adam(model.decoder.parameters(), 0.1, betas=(0.5, 0.9), fused=True)
    order, noise = BatchOrder(256, 32, 3), torch.Generator()
    for step in range(12):
        one.zero_grad()
        other.zero_grad()
        noise.manual_seed(derived_seed(3, "noise", step))
        model.loss(as_float(data.raw(order.batch(step))), step=step, generator=noise)["loss"].backward()
        one.step()
        other.step()
    assert_same(trained, model)


def test_pairs_differ_by_step_and_repeat_by_run(tmp_path: Path) -> None:
    Twins.seen.clear()
    for name in ("one", "two"):
        train_model(helix_model(kind=Twins), tmp_path / f"{name}.pt", SETTINGS)
    assert len(Twins.seen) == 24
    assert all(x.shape == (64, 3) for x in Twins.seen)
    assert all(torch.equal(a, b) for a, b in zip(Twins.seen[:12], Twins.seen[12:], strict=True))
    first_ten = as_float(double_helix(num_points=256, noise=0.1, seed=0).raw(torch.arange(10)))
    assert all((x[32:, None] == first_ten).all(-1).any(-1).all() for x in Twins.seen)
    assert not torch.equal(Twins.seen[0][32:], Twins.seen[1][32:])

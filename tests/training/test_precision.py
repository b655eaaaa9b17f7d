"""Precision of a training: what auto is, and that a run keeps the one that it began with."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lrx.data.in_memory import as_dataset
from lrx.models.betavae import BetaVAE
from lrx.models.networks.mlp import mlp
from lrx.training import checkpoint
from lrx.training.loop import train
from lrx.training.precision import training_precision
from tests.support.models_for_tests import TRAINING

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
AUTO = replace(TRAINING, precision="auto", checkpoint_every=4)


def processor(monkeypatch: pytest.MonkeyPatch, *, quick: bool) -> None:
    monkeypatch.setattr("lrx.training.precision.quick_bf16", lambda device: quick)


def run(path: Path, steps: int = 8) -> tuple[BetaVAE, str]:
    torch.manual_seed(0)
    network = functools.partial(mlp, hidden=[16], activation="elu", spread="log_std")
    model = BetaVAE(
        network=network,
        observation_shape=(1, 8, 8),
        latent_dim=2,
        reconstruction="bernoulli",
        variance=1.0,
        kl="exact",
        beta=1.0,
    )
    images = np.random.default_rng(0).integers(0, 256, (64, 8, 8), "uint8")
    train(model, as_dataset(images), replace(AUTO, steps=steps), seed=0, path=path)
    return model, checkpoint.load(path).data["precision"]


@pytest.mark.parametrize(
    ("setting", "device", "is_image", "quick", "before", "expected"),
    [
        ("auto", CPU, True, True, None, "bf16"),
        ("auto", CPU, True, False, None, "float32"),
        ("auto", CPU, False, True, None, "float32"),
        ("auto", CUDA, True, True, None, "bf16"),
        ("auto", CPU, True, True, "float32", "float32"),
        ("auto", CPU, True, False, "bf16", "bf16"),
        ("auto", CPU, True, True, "", "float32"),
        ("auto", CUDA, False, True, "", "bf16"),
        ("float32", CPU, True, True, "bf16", "float32"),
        ("tf32", CUDA, True, True, None, "tf32"),
    ],
)
def test_precision_of_a_training(
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    device: torch.device,
    is_image: bool,
    quick: bool,
    before: str | None,
    expected: str,
) -> None:
    processor(monkeypatch, quick=quick)
    assert training_precision(setting, device, is_image=is_image, before=before) == expected


@pytest.mark.parametrize(("quick", "precision"), [(True, "bf16"), (False, "float32")])
def test_resume_keeps_precision_on_another_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: bool, precision: str
) -> None:
    processor(monkeypatch, quick=quick)
    undisturbed, stored = run(tmp_path / "a.pt")
    assert stored == precision
    run(tmp_path / "b.pt", steps=4)
    processor(monkeypatch, quick=not quick)
    resumed, stored = run(tmp_path / "b.pt")
    assert stored == precision
    for one, other in zip(undisturbed.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_auto_computes_in_the_precision_that_it_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processor(monkeypatch, quick=True)
    half, _ = run(tmp_path / "bf16.pt")
    processor(monkeypatch, quick=False)
    full, _ = run(tmp_path / "float32.pt")
    assert not torch.equal(next(half.parameters()), next(full.parameters()))
    torch.testing.assert_close(next(half.parameters()), next(full.parameters()), rtol=0, atol=0.02)

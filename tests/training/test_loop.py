"""Training loop: batches, rates, resuming bit for bit, observers, and a loss that is not finite."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lrx.data.helix import double_helix
from lrx.models.betavae import BetaVAE
from lrx.models.networks.mlp import mlp
from lrx.training import checkpoint
from lrx.training.loop import BatchOrder, DivergedError, TrainSettings, derived_seed, schedule, train
from tests.support.models_for_tests import TRAINING
from tests.support.observers import Callbacks

SETTINGS = replace(TRAINING, steps=12, checkpoint_every=5, log_every=4)


def helix_model(seed: int = 0, kind: type[BetaVAE] = BetaVAE) -> BetaVAE:
    torch.manual_seed(seed)
    return kind(
        network=functools.partial(mlp, hidden=[16, 16], activation="elu", spread="log_std"),
        observation_shape=(3,),
        latent_dim=2,
        reconstruction="gaussian",
        variance=0.5,
        kl="exact",
        beta=0.05,
    )


def run(path: Path, settings: TrainSettings = SETTINGS, **callbacks: object) -> BetaVAE:
    return train_model(helix_model(), path, settings, **callbacks)


def train_model(model: BetaVAE, path: Path, settings: TrainSettings, **callbacks: object) -> BetaVAE:
    data = double_helix(num_points=256, noise=0.1, seed=0)
    train(model, data, settings, seed=3, path=path, config="text", observer=Callbacks(**callbacks))  # type: ignore[arg-type]
    return model


class Killed(Exception):
    pass


def kill_at(step: int) -> object:
    def on_step(done: int) -> None:
        if done == step:
            raise Killed

    return on_step


def assert_same(one: torch.nn.Module, other: torch.nn.Module) -> None:
    for (key, first), second in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(first, second), key


@pytest.mark.parametrize("step", [1, 5, 7, 10, 11])
@pytest.mark.parametrize(
    "changes", [{}, {"schedule": "cosine", "warmup_steps": 3, "amsgrad": True, "clip": 1.0, "precision": "bf16"}]
)
def test_resume_gives_same_weights(tmp_path: Path, step: int, changes: dict[str, object]) -> None:
    settings = replace(SETTINGS, **changes)  # type: ignore[arg-type]
    whole = run(tmp_path / "whole.pt", settings)
    with pytest.raises(Killed):
        run(tmp_path / "cut.pt", settings, on_step=kill_at(step))
    torch.manual_seed(12345)  # the global state of another process is another one
    assert_same(run(tmp_path / "cut.pt", settings), whole)


def test_loss_decreases(tmp_path: Path) -> None:
    rows: list[float] = []
    run(
        tmp_path / "c.pt", replace(SETTINGS, steps=300, log_every=50), on_log=lambda step, row: rows.append(row["loss"])
    )
    assert len(rows) == 6
    assert rows[-1] < 0.5 * rows[0]


def test_observer_gets_every_step_and_the_last_log(tmp_path: Path) -> None:
    starts, steps, logs = [], [], []
    run(
        tmp_path / "c.pt",
        replace(SETTINGS, steps=10),
        on_start=starts.append,
        on_step=steps.append,
        on_log=lambda step, row: logs.append((step, set(row))),
    )
    assert starts == [0]
    assert steps == list(range(1, 11))
    assert logs == [(step, {"loss", "reconstruction", "kl", "lr"}) for step in (4, 8, 10)]
    assert checkpoint.load(tmp_path / "c.pt").finished


def test_seed_and_batch_size_decide_the_weights(tmp_path: Path) -> None:
    assert_same(run(tmp_path / "a.pt"), run(tmp_path / "b.pt"))
    other = run(tmp_path / "c.pt", replace(SETTINGS, batch_size=16))
    with pytest.raises(AssertionError):
        assert_same(run(tmp_path / "d.pt"), other)


def test_resume_refuses_other_data(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        run(tmp_path / "c.pt", on_step=kill_at(6))
    other = double_helix(num_points=256, noise=0.1, seed=9)
    with pytest.raises(ValueError, match="was trained on double helix"):
        train(helix_model(), other, SETTINGS, seed=3, path=tmp_path / "c.pt", config="text")


def test_nan_loss_raises_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    class Exploding(BetaVAE):
        def loss(self, x: torch.Tensor, *, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
            losses = super().loss(x, step=step, generator=generator)
            return {key: value * (math.nan if step >= 7 else 1) for key, value in losses.items()}

    torch.manual_seed(0)
    model = Exploding(
        network=functools.partial(mlp, hidden=[4], activation="elu", spread="log_std"),
        observation_shape=(3,),
        latent_dim=2,
        reconstruction="gaussian",
        variance=1.0,
        kl="exact",
        beta=1.0,
    )
    data = double_helix(num_points=64, noise=0.1, seed=0)
    with pytest.raises(DivergedError, match=r"step 8.* lr=0\.01"):
        train(model, data, SETTINGS, seed=0, path=tmp_path / "c.pt", config="")
    saved = checkpoint.load(tmp_path / "c.pt")
    assert saved.step == 5
    assert all(torch.isfinite(value).all() for value in saved.model.values())


# ------------------------------------------------------------------------------------------------------- batches


def test_epochs_are_permutations() -> None:
    order = BatchOrder(20, 5, seed=0)
    first = torch.cat([order.batch(step) for step in range(4)])
    second = torch.cat([order.batch(step) for step in range(4, 8)])
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(20))
    assert first.tolist() != second.tolist()
    assert torch.equal(BatchOrder(20, 5, seed=0).batch(6), order.batch(6))
    assert not torch.equal(BatchOrder(20, 5, seed=1).batch(6), order.batch(6))


def test_remainder_and_small_data_set() -> None:
    order = BatchOrder(7, 3, seed=0)
    assert len({*order.batch(0).tolist(), *order.batch(1).tolist()}) == 6
    assert sorted(BatchOrder(3, 64, seed=0).batch(11).tolist()) == [0, 1, 2]


def test_derived_seeds_differ() -> None:
    seeds = {derived_seed(a, b, c) for a in (0, 1, 10) for b in ("noise", "epoch") for c in (0, 1, 10)}
    assert len(seeds) == 18
    assert all(0 <= value < 2**63 for value in seeds)


# ---------------------------------------------------------------------------------------------------------- rates


def test_schedule() -> None:
    assert [schedule(SETTINGS, step) for step in (0, 11)] == [1, 1]
    cosine = replace(SETTINGS, schedule="cosine", steps=14, warmup_steps=4)
    rates = [schedule(cosine, step) for step in range(14)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1]
    assert rates[4] == 1
    assert rates[9] == pytest.approx(0.5)  # half way down
    assert rates[13] == pytest.approx((1 + math.cos(math.pi * 0.9)) / 2)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("steps", 0),
        ("steps", "abc"),
        ("steps", 1.5),
        ("batch_size", True),
        ("lr", 0),
        ("lr", "fast"),
        ("lr", math.inf),
        ("clip", -1),
        ("betas", [0.9]),
        ("betas", [0.9, 1.0]),
        ("schedule", "linear"),
        ("precision", "fp8"),
        ("compile", "yes"),
        ("warmup_steps", -1),
        ("checkpoint_every", 0),
    ],
)
def test_settings_errors_name_key_and_value(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^{key} .*not "):
        replace(SETTINGS, **{key: value})  # type: ignore[arg-type]

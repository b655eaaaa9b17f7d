"""The loop: batches, rates, resuming bit for bit, and stopping when the loss is no number."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lrx import checkpoint
from lrx.data.helix import double_helix
from lrx.models.betavae import BetaVAE
from lrx.models.networks.mlp import mlp
from lrx.training import BatchOrder, Diverged, TrainSettings, derived_seed, learning_rate, train

SETTINGS = TrainSettings(
    steps=12,
    batch_size=32,
    lr=0.01,
    betas=[0.9, 0.999],
    amsgrad=False,
    schedule="constant",
    warmup_steps=0,
    clip=None,
    precision="float32",
    compile=False,
    channels_last=True,
    checkpoint_every=5,
    log_every=4,
    device="cpu",
)


def helix_model(seed: int = 0) -> BetaVAE:
    torch.manual_seed(seed)
    return BetaVAE(
        network=functools.partial(mlp, hidden=[16, 16]),
        observation_shape=(3,),
        latent_dim=2,
        reconstruction="gaussian",
        variance=0.5,
        kl="exact",
        beta=0.05,
    )


def run(path: Path, settings: TrainSettings = SETTINGS, **callbacks: object) -> BetaVAE:
    model = helix_model()
    data = double_helix(num_points=256, noise=0.1, seed=0)
    train(model, data, settings, seed=3, device=torch.device("cpu"), path=path, config="text", **callbacks)  # type: ignore[arg-type]
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
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(
    tmp_path: Path, step: int, changes: dict[str, object]
) -> None:
    settings = replace(SETTINGS, **changes)  # type: ignore[arg-type]
    whole = run(tmp_path / "whole.pt", settings)
    with pytest.raises(Killed):
        run(tmp_path / "cut.pt", settings, on_step=kill_at(step))
    torch.manual_seed(12345)  # the global state of another process is another one
    assert_same(run(tmp_path / "cut.pt", settings), whole)


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    rows: list[float] = []
    run(
        tmp_path / "c.pt", replace(SETTINGS, steps=300, log_every=50), on_log=lambda step, row: rows.append(row["loss"])
    )
    assert len(rows) == 6
    assert rows[-1] < 0.5 * rows[0]


def test_the_callbacks_see_every_step_and_the_last_log(tmp_path: Path) -> None:
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


def test_a_seed_and_a_batch_decide_the_result(tmp_path: Path) -> None:
    assert_same(run(tmp_path / "a.pt"), run(tmp_path / "b.pt"))
    other = run(tmp_path / "c.pt", replace(SETTINGS, batch_size=16))
    with pytest.raises(AssertionError):
        assert_same(run(tmp_path / "d.pt"), other)


def test_a_run_does_not_go_on_with_other_data(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        run(tmp_path / "c.pt", on_step=kill_at(6))
    other = double_helix(num_points=256, noise=0.1, seed=9)
    with pytest.raises(ValueError, match="was trained on double helix"):
        train(helix_model(), other, SETTINGS, seed=3, device=torch.device("cpu"), path=tmp_path / "c.pt", config="text")


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    class Exploding(BetaVAE):
        def loss(self, x: torch.Tensor, *, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
            losses = super().loss(x, step=step, generator=generator)
            return {key: value * (math.nan if step >= 7 else 1) for key, value in losses.items()}

    torch.manual_seed(0)
    model = Exploding(
        network=functools.partial(mlp, hidden=[4]),
        observation_shape=(3,),
        latent_dim=2,
        reconstruction="gaussian",
        variance=1.0,
        kl="exact",
        beta=1.0,
    )
    data = double_helix(num_points=64, noise=0.1, seed=0)
    with pytest.raises(Diverged, match=r"step 8.*trainer\.lr=0\.01"):
        train(model, data, SETTINGS, seed=0, device=torch.device("cpu"), path=tmp_path / "c.pt", config="")
    kept = checkpoint.load(tmp_path / "c.pt")
    assert kept.step == 5
    assert all(torch.isfinite(value).all() for value in kept.model.values())


# ------------------------------------------------------------------------------------------------------- batches


def test_an_epoch_shows_every_image_once_and_the_next_in_another_order() -> None:
    order = BatchOrder(20, 5, seed=0)
    first = torch.cat([order.batch(step) for step in range(4)])
    second = torch.cat([order.batch(step) for step in range(4, 8)])
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(20))
    assert first.tolist() != second.tolist()
    assert torch.equal(BatchOrder(20, 5, seed=0).batch(6), order.batch(6))
    assert not torch.equal(BatchOrder(20, 5, seed=1).batch(6), order.batch(6))


def test_a_remainder_is_left_out_and_a_small_data_set_is_one_batch() -> None:
    order = BatchOrder(7, 3, seed=0)
    assert len({*order.batch(0).tolist(), *order.batch(1).tolist()}) == 6
    assert sorted(BatchOrder(3, 64, seed=0).batch(11).tolist()) == [0, 1, 2]


def test_derived_seeds_differ_in_every_part() -> None:
    seeds = {derived_seed(a, b, c) for a in (0, 1, 10) for b in ("noise", "epoch") for c in (0, 1, 10)}
    assert len(seeds) == 18
    assert all(0 <= value < 2**63 for value in seeds)


# ---------------------------------------------------------------------------------------------------------- rates


def test_schedules() -> None:
    assert [learning_rate(SETTINGS, step) for step in (0, 11)] == [0.01, 0.01]
    cosine = replace(SETTINGS, schedule="cosine", steps=14, warmup_steps=4)
    rates = [learning_rate(cosine, step) for step in range(14)]
    assert rates[:4] == pytest.approx([0.0025, 0.005, 0.0075, 0.01])
    assert rates[4] == 0.01
    assert rates[9] == pytest.approx(0.005)  # half way down
    assert rates[13] == pytest.approx(0.01 * (1 + math.cos(math.pi * 0.9)) / 2)


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
def test_settings_name_the_key_and_the_value(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"trainer\.{key} .*not "):
        replace(SETTINGS, **{key: value})  # type: ignore[arg-type]


def test_compiled_parts_keep_their_names_and_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled_parts: list[torch.nn.Module] = []

    def compile_without_a_c_compiler(part: torch.nn.Module) -> None:
        compiled_parts.append(part)
        part._compiled_call_impl = torch.compile(part._call_impl, backend="eager")

    monkeypatch.setattr(torch.nn.Module, "compile", compile_without_a_c_compiler)
    plain, compiled = run(tmp_path / "a.pt"), run(tmp_path / "b.pt", replace(SETTINGS, compile=True))
    assert len(compiled_parts) == 2
    assert list(plain.state_dict()) == list(compiled.state_dict())
    assert_same(plain, compiled)

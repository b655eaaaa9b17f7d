"""Limits of an assay: told, refused and timed before it begins."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import lrx
from lrx.assays import limits
from lrx.assays.response_matrix.assay import Settings
from lrx.assays.run import run_assay
from lrx.assays.sparse_response.assay import Settings as SparseSettings
from lrx.core.validation import SettingError
from lrx.models.sparse_autoencoder import SparseAutoencoder
from lrx.responses.matrix import ResponseMatrix
from scripts.toy_assays import ToyMaps, small, toy
from tests.support.models_for_tests import Linear, Vectors
from tests.support.models_for_tests import one_thread as one_thread

SLOW = 0.002  # seconds of a batch


class Slow(Linear):
    """Takes a while for each batch, whatever its size; counts batches and observations."""

    def __init__(self, latents: int = 3, seconds: float = SLOW) -> None:
        super().__init__(torch.eye(latents))
        self.seconds, self.sizes = seconds, []

    def decode(self, z: Tensor) -> Tensor:
        self.sizes.append(len(z))
        time.sleep(self.seconds)
        return super().decode(z)


class Shown:
    """Progress that keeps what it hears."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.seen: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.seen.append((done, total))

    def tell(self, text: str) -> None:
        self.lines.append(text)


def run(model: Slow, progress: Callable[[int, int], None] | None = None, **settings: Any) -> None:
    dataset = Vectors(dim=model.matrix.shape[0])
    run_assay(Settings(**settings), model, dataset, torch.Generator().manual_seed(0), progress=progress)


def test_too_long_is_refused_before_it_begins() -> None:
    model = Slow(seconds=0.01)
    with pytest.raises(SettingError) as caught:
        run(model, num_samples=25_600, batch_size=8, max_seconds=2)
    text = str(caught.value)
    assert text.startswith("max_seconds=2: 102,400 responses would take about ")
    assert "change num_samples, or give assay=traversal" in text
    assert "\n" not in text
    assert sum(model.sizes) < 40
    minutes = float(text.split("about ")[1].split()[0])
    assert text.split("about ")[1].split()[1].startswith("min")
    assert 1 < minutes < 6  # 12,800 batches of .01 s: 2.1 minutes


def test_limit_that_suffices_changes_no_number() -> None:
    images = torch.randn(50, 3).numpy()
    results = [
        lrx.assay("response_matrix", Slow(), images, num_samples=32, **more) for more in ({}, {"max_seconds": 60})
    ]
    one, other = results
    assert not isinstance(one, dict)
    assert not isinstance(other, dict)
    assert (one.matrix.values == other.matrix.values).all()
    assert one.settings == other.settings


def test_python_tries_no_pass_without_a_limit() -> None:
    models = [Slow(seconds=0), Slow(seconds=0)]
    run(models[0], num_samples=32)
    run(models[1], num_samples=32, max_seconds=1000)
    assert sum(models[0].sizes) == 32 * 4
    assert sum(models[1].sizes) == 32 * 4 + 2


def test_long_work_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TOLD", 0.05)
    model, shown = Slow(seconds=0.004), Shown()
    run(model, shown, num_samples=256, batch_size=16)
    (line,) = shown.lines
    assert line.startswith("1,024 responses, ")
    assert line.endswith(" MB")
    assert model.sizes[:4] == [1, 1, 16, 16]  # tried one by one, then twice a batch of the real size
    quick = Shown()
    run(Slow(seconds=0), quick, num_samples=32)
    assert not quick.lines


def test_memory_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "free_memory", lambda: 5_000_000)
    model = Slow(latents=300, seconds=0)
    with pytest.raises(MemoryError) as caught:
        run(model, num_samples=32)
    text = str(caught.value)
    assert "for sums of 300 x 300 responses" in text
    assert "5 MB of memory are free; no batch_size changes that" in text
    assert not model.sizes


def test_out_of_memory_names_what_was_large(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: ResponseMatrix, *_: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory: you tried 9 bytes")

    monkeypatch.setattr(ResponseMatrix, "add", full)
    with pytest.raises(
        MemoryError, match=r"out of memory: .* for sums of 300 x 300 responses.*; no batch_size changes"
    ):
        run(Slow(latents=300, seconds=0), num_samples=32, batch_size=32)


class Wide(Slow):
    """Decodes through a large tensor."""

    def decode(self, z: Tensor) -> Tensor:
        return super().decode(z) + 0 * z.new_ones(len(z), 1_000_000).sum(1, keepdim=True)


def test_batch_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "free_memory", lambda: 500_000_000)
    with pytest.raises(MemoryError, match=r"1\.5 GB for a batch of 64, .* a smaller batch_size needs less"):
        run(Wide(seconds=0), num_samples=64, batch_size=64, max_seconds=1000)
    run(Wide(seconds=0), num_samples=4, batch_size=4, max_seconds=1000)


def test_progress_is_heard_within_a_unit() -> None:
    shown = Shown()
    run(Slow(seconds=0), shown, num_samples=128, batch_size=16)
    assert shown.seen[0] == (0, 512)
    assert shown.seen[-1] == (512, 512)
    assert len({done for done, _ in shown.seen}) == 33  # 512 responses in one unit, 16 at a time
    assert shown.seen == sorted(shown.seen)


def test_codes_are_refused_before_their_cost_is_told() -> None:
    shown = Shown()
    for name in ("manifold", "response_map", "generation"):
        with pytest.raises(ValueError, match="no prior of codes"):
            run_assay(small(name), ToyMaps(), toy(), torch.Generator(), progress=shown)
    assert not shown.lines


def test_exact_draws_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = SparseAutoencoder(observation_shape=(8,), latent_dim=200, k=None, normalisation="none", dtype="float32")
    activate, calls = model.activate, []

    def slow(p: Tensor) -> Tensor:
        calls.append(len(p))
        time.sleep(0.01)  # twice for each of 200 features: 4 s
        return activate(p)

    monkeypatch.setattr(model, "activate", slow)
    with pytest.raises(
        SettingError, match=r"at most 6,600 exact draws, .* would take about [4-9] s"
    ) as caught:  # 4 s of 200 features
        run_assay(SparseSettings(max_seconds=2), model, Vectors(dim=8), torch.Generator().manual_seed(0))
    assert "change num_features" in str(caught.value)
    assert len(calls) < 2 * 200

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from lrx.core.factors import FactorSpace
from lrx.core.types import as_float
from lrx.data.helix import double_helix
from lrx.sample_quality import factor_probe as features
from lrx.sample_quality.factor_probe import check_probe_settings, factor_probe, train_probe
from lrx.sample_quality.feature_spaces import resolve_features
from tests.support.models_for_tests import one_thread as one_thread


class Bars:
    """Images (1, 8, 8) of one bright pixel: its row and its column are the factors."""

    name, source, observation_shape = "bars", "made in the test", (1, 8, 8)
    factors = FactorSpace(("row", "constant", "column"), (4, 1, 3))

    def __init__(self, fingerprint: str = "0") -> None:
        self.fingerprint = fingerprint

    def __len__(self) -> int:
        return 12

    def raw(self, indices: torch.Tensor) -> torch.Tensor:
        x = torch.zeros(len(indices), 1, 8, 8, dtype=torch.uint8)
        classes = self.factors.classes(indices)
        x[torch.arange(len(indices)), 0, 2 * classes[:, 0], 2 * classes[:, 2]] = 255
        return x


class PlainBars:
    """The same images without factors or labels."""

    name, source, fingerprint, observation_shape = "plain bars", "made in the test", "0", (1, 8, 8)

    def __len__(self) -> int:
        return 12

    def raw(self, indices: torch.Tensor) -> torch.Tensor:
        return Bars().raw(indices)


class LabelledBars:
    """The same images, each of them `copies` times, whose row and column are labels."""

    name, source, fingerprint, observation_shape = "labelled bars", "made in the test", "0", (1, 8, 8)
    label_names, label_sizes = Bars.factors.names, Bars.factors.sizes

    def __init__(self, shift: int = 0, copies: int = 1) -> None:
        self.shift, self.copies = shift, copies

    def __len__(self) -> int:
        return 12 * self.copies

    def raw(self, indices: torch.Tensor) -> torch.Tensor:
        return Bars().raw(indices % 12)

    def label_classes(self, indices: torch.Tensor) -> torch.Tensor:
        return Bars.factors.classes((indices + self.shift) % 12)


def test_train_probe_is_accurate_and_reproducible() -> None:
    state = torch.get_rng_state()
    data = LabelledBars(copies=5)
    probe = train_probe(data, steps=60)
    assert torch.equal(torch.get_rng_state(), state)
    assert probe.names == ("row", "column")
    assert probe.sizes == (4, 3)
    assert probe.accuracies.tolist() == [1, 1]
    assert int(probe.num_test) == 12
    assert probe.scores == {"probe_accuracy": 1, "probe_accuracy_se": pytest.approx(math.sqrt(14 * 2) / 16**1.5)}
    every = torch.arange(12)
    assert torch.equal(probe.classes(as_float(Bars().raw(every))), Bars.factors.classes(every)[:, [0, 2]])
    assert probe.features(as_float(Bars().raw(every)).double()).shape == (12, 64)
    again = train_probe(data, steps=60)
    assert all(torch.equal(a, b) for a, b in zip(probe.parameters(), again.parameters(), strict=True))


def test_cached_probe_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = factor_probe(Bars(), steps=5, cache=str(tmp_path / "probes"))
    (kept,) = (tmp_path / "probes").iterdir()
    factor_probe(Bars(), steps=6, cache=str(tmp_path / "probes"))
    factor_probe(Bars("other"), steps=5, cache=str(tmp_path / "probes"))
    assert len(list((tmp_path / "probes").iterdir())) == 3
    monkeypatch.setattr(features, "train_probe", None)
    again = factor_probe(Bars(), steps=5, cache=str(tmp_path / "probes"))
    images = as_float(Bars().raw(torch.arange(12)))
    assert torch.equal(again.features(images), trained.features(images))
    assert torch.equal(again.accuracies, trained.accuracies)
    kept.write_bytes(kept.read_bytes()[:100])
    with pytest.raises(ValueError, match="is not a kept probe of bars; remove it"):
        factor_probe(Bars(), steps=5, cache=str(tmp_path / "probes"))


def test_flipped_bit_in_cache_is_refused(tmp_path: Path) -> None:
    factor_probe(Bars(), steps=1, cache=str(tmp_path))
    (kept,) = tmp_path.iterdir()
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1  # among the weights, where torch.load takes any bits
    kept.write_bytes(content)
    with pytest.raises(ValueError, match=r"is not a kept probe of .*; remove it"):
        factor_probe(Bars(), steps=1, cache=str(tmp_path))


class Noise(LabelledBars):
    """White noise, whose labels know nothing of it."""

    def __len__(self) -> int:
        return 200

    def raw(self, indices: torch.Tensor) -> torch.Tensor:
        pixels = torch.randint(256, (200, 1, 8, 8), generator=torch.Generator().manual_seed(0))
        return pixels[indices].to(torch.uint8)


def test_accuracies_are_of_images_held_out() -> None:
    data, read = Noise(), list[torch.Tensor]()
    images = data.raw
    data.raw = lambda indices: read.append(indices) or images(indices)  # type: ignore[func-returns-value, method-assign]
    probe = train_probe(data, steps=80)
    trained, tested = torch.cat(read[:-1]).unique(), read[-1]
    assert len(tested) == int(probe.num_test) == 40
    assert not torch.isin(tested, trained).any()
    learned = (probe.classes(as_float(images(trained))) == data.label_classes(trained)[:, [0, 2]]).float().mean()
    assert learned > 0.9  # by heart
    accuracy, se = probe.scores["probe_accuracy"], probe.scores["probe_accuracy_se"]
    assert accuracy == pytest.approx((1 / 4 + 1 / 3) / 2, abs=3 * se)


def test_probe_of_labels_equals_probe_of_factors() -> None:
    grid, labels = train_probe(Bars(), steps=10), train_probe(LabelledBars(), steps=10)
    assert labels.names == grid.names == ("row", "column")
    assert all(torch.equal(a, b) for a, b in zip(grid.parameters(), labels.parameters(), strict=True))
    every = torch.arange(12)
    learned = train_probe(LabelledBars(shift=5, copies=5), steps=60)
    assert torch.equal(learned.classes(as_float(Bars().raw(every))), Bars.factors.classes((every + 5) % 12)[:, [0, 2]])


def test_cache_distinguishes_factors_and_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "ROWS", 5)  # classes are read in parts
    for data in (Bars(), LabelledBars(), LabelledBars(shift=5), LabelledBars()):
        factor_probe(data, steps=2, cache=str(tmp_path))
    assert len(list(tmp_path.iterdir())) == 3


def test_auto_features() -> None:
    assert resolve_features(Bars(), "auto") == resolve_features(LabelledBars(), "auto") == "probe"
    single, vectors = LabelledBars(), LabelledBars()
    single.label_sizes = (1, 1, 1)
    vectors.observation_shape = (8,)
    assert resolve_features(single, "auto") == resolve_features(vectors, "auto") == "pixels"
    assert resolve_features(double_helix(num_points=9, noise=0.1, seed=0), "auto") == "pixels"
    assert resolve_features(PlainBars(), "auto") == "pixels"
    with pytest.raises(ValueError, match="a probe network needs known factors of variation or labels"):
        train_probe(PlainBars(), steps=1)


def test_probe_of_vectors_or_constant_factor_is_refused() -> None:
    data = Bars()
    data.factors = FactorSpace(("constant",), (1,))
    with pytest.raises(ValueError, match="needs a factor or label that varies, and bars has none"):
        train_probe(data, steps=1)
    data.observation_shape = (3,)
    with pytest.raises(ValueError, match="reads images, and bars holds vectors"):
        train_probe(data, steps=1)


@pytest.mark.parametrize(("steps", "cache"), [(0, None), (1.5, None), (True, None), (10, ""), (10, 3)])
def test_invalid_settings_are_refused(steps: object, cache: object) -> None:
    with pytest.raises(ValueError, match="probe_steps" if cache is None else "cache"):
        check_probe_settings(steps, cache)

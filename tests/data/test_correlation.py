"""Correlated factors: which images are kept, who draws from them, and what it does to metrics and to CDS."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.conditioned_response.assay import Settings as ConditionedSettings
from lrx.assays.metrics.assay import Settings as MetricsSettings
from lrx.assays.run import run_assay
from lrx.core.factors import FactorSpace
from lrx.core.types import AssayResult
from lrx.core.validation import SettingError
from lrx.data.correlation import with_correlation
from lrx.data.grid import GridDataset
from lrx.data.labelled import LabelledDataset
from lrx.data.splits import part
from lrx.responses.encoding import image_order
from lrx.training.loop import train
from tests.support.models_for_tests import TRAINING

SIZES = (8, 8, 30)
STEP = 8  # grey levels between two classes


class Classes:
    """Images (1, 1, 3) whose pixels are the classes."""

    def __init__(self, factors: FactorSpace) -> None:
        self.factors = factors

    def __len__(self) -> int:
        return self.factors.num_points

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        classes = self.factors.classes(torch.from_numpy(indices))
        return (STEP * classes).to(torch.uint8).view(-1, 1, 1, 3).numpy()


def grid() -> GridDataset:
    factors = FactorSpace(("height", "width", "other"), SIZES)
    return GridDataset(name="toy", source="made", fingerprint="toy", factors=factors, pixels=Classes(factors))


class Axes(nn.Module):
    """One latent a factor, and back: what the decoder shows is what was set."""

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1) * 255 / STEP

    def decode(self, z: Tensor) -> Tensor:
        return (z * STEP / 255).view(-1, 1, 1, 3)


def band(width: float) -> GridDataset:
    return with_correlation(grid(), {"factors": ["height", "width"], "width": width})


def test_sample_is_gaussian_band() -> None:
    narrow = band(0.2)
    assert narrow.sample is not None
    classes = narrow.factors.classes(narrow.sample)
    counts = torch.zeros(8, 8, dtype=torch.float64)
    counts.index_put_((classes[:, 0], classes[:, 1]), torch.ones(len(classes), dtype=torch.float64), accumulate=True)
    gap = (torch.arange(8)[:, None] - torch.arange(8)).double() / 7
    expected = torch.exp(-gap.square() / (2 * 0.2**2))
    assert (counts.diagonal() == 30).all()
    error = (expected * (1 - expected) * 30).sqrt()
    assert ((counts - 30 * expected).abs() <= 4 * error + 1).all()  # 1: rare cells are no Gaussians
    assert torch.corrcoef(classes[:, :2].T.double())[0, 1] > 0.75
    assert torch.equal(narrow.sample, band(0.2).sample)


def test_no_correlation() -> None:
    plain = grid()
    assert with_correlation(plain, None) is plain
    assert with_correlation(plain, "none") is plain
    assert plain.sample is None
    assert sorted(image_order(plain, torch.Generator()).tolist()) == list(range(len(plain)))


def test_source_and_fingerprint() -> None:
    assert band(0.2).source == "made, height and width correlated, width 0.2"
    assert len({grid().fingerprint, band(0.2).fingerprint, band(0.3).fingerprint}) == 3
    assert len(band(0.2)) == len(grid())  # interventions reach the whole grid


def test_training_and_assays_draw_from_sample(tmp_path: Path) -> None:
    data = band(0.2)
    assert data.sample is not None
    kept = set(data.sample.tolist())
    order = image_order(data, torch.Generator().manual_seed(0)).tolist()
    assert sorted(order) == sorted(kept)

    asked: set[int] = set()

    class Watching(nn.Module):
        observation_shape, latent_dim = (1, 1, 3), 3

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))

        def encode(self, x: Tensor) -> Tensor:
            return x.flatten(1)

        def decode(self, z: Tensor) -> Tensor:
            return z.view(-1, 1, 1, 3)

        def loss(self, x: Tensor, *, step: int, generator: torch.Generator) -> dict[str, Tensor]:
            classes = (x.flatten(1) * 255 / STEP).round().long()
            asked.update(data.factors.index(classes).tolist())
            return {"loss": (x.flatten(1) * self.weight).sum()}

    settings = replace(TRAINING, steps=len(kept) // 50, batch_size=50)
    train(Watching(), data, settings, seed=0, path=tmp_path / "c.pt", config="")
    assert asked <= kept
    assert len(asked) == 50 * (len(kept) // 50)


def test_correlation_lowers_mig_and_not_cds() -> None:
    """The paper's point: a model that is right about every factor is blamed by MIG for the data, and not by CDS."""
    scores = {}
    for name, data in (("whole", grid()), ("band", band(0.1))):
        settings = MetricsSettings(preset="fast", only=["mig", "dci"], batch_size=512)
        mig = run_assay(settings, Axes(), data, torch.Generator().manual_seed(0))
        assert isinstance(mig, AssayResult)
        groups = ConditionedSettings(
            num_groups=8, max_pairs=20, reduction="mean_of_rms", threshold=0.1, num_bootstrap=50, batch_size=512
        )
        cds = run_assay(groups, Axes(), data, torch.Generator().manual_seed(0))
        assert isinstance(cds, AssayResult)
        scores[name] = (mig.scores["mig"], cds.scores["cds"])
    assert scores["whole"][0] > 0.9
    assert scores["band"][0] < 0.75
    assert scores["whole"][1] == scores["band"][1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("correlation", "message"),
    [
        ({"factors": ["height", "depth"], "width": 0.2}, "no factor 'depth'"),
        ({"factors": ["height"], "width": 0.2}, "two names"),
        ({"factors": ["height", "height"], "width": 0.2}, "two names"),
        ({"factors": ["height", "width"], "width": 0}, "positive number, not 0"),
        ({"factors": ["height", "width"], "width": "wide"}, "positive number, not 'wide'"),
        ({"factors": ["height", "width"]}, "must be none or"),
        ("strong", "must be none or"),
    ],
)
def test_invalid_correlation(correlation: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        with_correlation(grid(), correlation)  # type: ignore[arg-type]


def test_band_too_narrow() -> None:
    factors = FactorSpace(("a", "b", "other"), (8, 5, 2))  # most classes of a lie between two of b
    data = GridDataset(name="toy", source="made", fingerprint="toy", factors=factors, pixels=Classes(factors))
    with pytest.raises(ValueError, match="leaves no a 1; widen it"):
        with_correlation(data, {"factors": ["a", "b"], "width": 0.001})


def test_factor_of_one_value() -> None:
    factors = FactorSpace(("a", "b", "constant"), (4, 4, 1))
    data = GridDataset(name="toy", source="made", fingerprint="toy", factors=factors, pixels=Classes(factors))
    with pytest.raises(ValueError, match="constant has one value"):
        with_correlation(data, {"factors": ["a", "constant"], "width": 0.2})


NAMES, LABEL_SIZES = ("hair", "hat", "constant"), (4, 3, 1)
LABELS = np.stack([np.arange(600) % 4, np.arange(600) // 4 % 3, np.zeros(600, np.int64)], axis=1)


def labelled(classes: np.ndarray = LABELS) -> LabelledDataset:
    """Return 600 vectors with labels, each pair of the first two 50 times."""
    vectors = np.zeros((len(classes), 2), np.float32)
    return LabelledDataset(
        name="faces",
        source="made",
        fingerprint="faces",
        pixels=vectors,
        label_names=NAMES,
        label_sizes=LABEL_SIZES,
        classes=classes,
    )


def test_labels_correlate_by_their_classes() -> None:
    data = with_correlation(labelled(), {"factors": ["hair", "hat"], "width": 0.3})
    assert data.sample is not None
    counts = np.zeros((4, 3))
    np.add.at(counts, tuple(data.label_classes(data.sample)[:, :2].T.numpy()), 1)
    gap = np.arange(4)[:, None] / 3 - np.arange(3) / 2
    expected = np.exp(-(gap**2) / (2 * 0.3**2))
    assert counts[0, 0] == counts[3, 2] == 50
    assert (abs(counts - 50 * expected) <= 4 * np.sqrt(50 * expected * (1 - expected)) + 1).all()
    assert data.source == "made, hair and hat correlated, width 0.3"
    assert len(data) == 600


def test_other_labels_give_another_fingerprint() -> None:
    correlation = {"factors": ["hair", "hat"], "width": 0.3}
    prints = {
        with_correlation(labelled(classes), correlation).fingerprint for classes in (LABELS, np.roll(LABELS, 1, axis=0))
    }
    assert len(prints) == 2


def test_label_without_images_is_no_loss() -> None:
    """A class that no image has, such as hat 1 here, cannot be lost."""
    without = LABELS[LABELS[:, 1] != 1]
    assert with_correlation(labelled(without), {"factors": ["hair", "hat"], "width": 0.3}).sample is not None


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        (["hair", "shoes"], "^correlation.factors: no label 'shoes'; the labels are hair, hat, constant$"),
        (["hair", "constant"], "^correlation.factors: constant has one value"),
    ],
)
def test_invalid_labels(factors: list[str], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        with_correlation(labelled(), {"factors": factors, "width": 0.3})


def test_correlation_and_split() -> None:
    correlation = {"factors": ["height", "width"], "width": 0.2}
    samples = [
        part(with_correlation(grid(), correlation), "test").sample,
        with_correlation(part(grid(), "test"), correlation).sample,
    ]
    assert samples[0] is not None
    assert samples[1] is not None
    assert torch.equal(samples[0], samples[1].sort().values)


def test_grid_fingerprint_of_version_0_1_0() -> None:
    assert band(0.2).fingerprint == "82e799a1bb943f7ee12c2a3bfedd6bd33a4867f2835a357d0341ed78e7636fef"

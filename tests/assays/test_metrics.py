from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.metrics.assay import Settings
from lrx.assays.run import run_assay
from lrx.core.factors import FactorSpace
from lrx.core.types import AssayResult, Autoencoder, Dataset
from lrx.metrics import catalog, logistic
from lrx.metrics.mig import mig
from lrx.metrics.record import PRESETS, Sizes
from lrx.responses.encoding import CachedEncoder
from tests.support.models_for_tests import one_thread as one_thread

SETTINGS: dict[str, Any] = {"preset": "small", "only": None, "trees": "lightgbm", "batch_size": 64}
SMALL = Sizes(num_train=400, num_test=200, train_votes=400, eval_votes=200)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRESETS, "small", SMALL)


class Grid:
    """Vectors that are the classes of a factor grid, one factor with a single value, and a count of what was read."""

    name, source, fingerprint = "grid", "made in the test", "0"

    def __init__(self, sizes: tuple[int, ...] = (4, 1, 5, 3, 12)) -> None:
        self.factors = FactorSpace(tuple("abcdefg"[: len(sizes)]), sizes)
        self.observation_shape = (len(sizes),)
        self.read: list[Tensor] = []

    def __len__(self) -> int:
        return self.factors.num_points

    def raw(self, indices: Tensor) -> Tensor:
        self.read.append(indices)
        return self.factors.classes(indices).float()


class Scaled(nn.Module):
    """A code for every factor, in double precision, after a linear map."""

    def __init__(self, mixing: Tensor) -> None:
        super().__init__()
        self.mixing = nn.Parameter(mixing.double())

    def encode(self, x: Tensor) -> Tensor:
        return x @ self.mixing

    def decode(self, z: Tensor) -> Tensor:
        return z @ torch.linalg.pinv(self.mixing)


def run(
    model: nn.Module,
    data: Dataset,
    seed: int,
    *,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> AssayResult:
    assert isinstance(model, Autoencoder)
    generator = torch.Generator().manual_seed(seed)
    result = run_assay(Settings(**{**SETTINGS, **settings}), model, data, generator, progress=progress)
    assert isinstance(result, AssayResult)
    return result


def assay(model: nn.Module | None = None, data: Grid | None = None, seed: int = 0, **settings: Any) -> AssayResult:
    data = data or Grid()
    model = model or Scaled(torch.eye(len(data.factors)))
    return run(model, data, seed, **settings)


def of_classes() -> list[str]:
    """Metrics that need no factor of two values, of which these grids have none."""
    return [name for name, metric in catalog.metrics().items() if metric.factors != "binary"]


def test_latent_for_each_factor_is_disentangled() -> None:
    result = assay()
    scores = result.scores
    for name in ("dci_disentanglement", "dci_completeness", "factorvae", "betavae", "irs", "modularity"):
        assert scores[name] == pytest.approx(1, abs=0.05), name
    assert scores["mig"] > 0.9
    assert scores["explicitness"] > 0.9
    assert scores["sap"] > 0.2
    assert scores["gaussian_total_correlation"] < 0.1
    assert scores["factorvae_latents_kept"] == scores["modularity_latents_kept"] == 4


def test_errors_stand_beside_every_score_but_the_named() -> None:
    scores = assay().scores
    plain = {name for name in scores if not name.endswith("_se")}
    assert {name for name in plain if f"{name}_se" not in scores} == {
        name for name, score in catalog.scores().items() if name in plain and not score.has_se
    }
    assert plain == {name for metric in of_classes() for name in catalog.metrics()[metric].scores}
    assert all(np.isfinite(value) for value in scores.values())


def test_axis_names_without_one_valued_factors() -> None:
    result = assay()
    assert result.coordinates["factor"].tolist() == ["a", "c", "d", "e"]
    assert result.coordinates["latent"].tolist() == [0, 1, 2, 3, 4]
    assert result.settings["factors_left_out"] == "b"
    for name in ("mutual_information", "dci_importance", "sap_accuracy", "irs_matrix"):
        array = result.arrays[name]
        assert array.axes == ("latent", "factor")
        assert array.values.shape == (5, 4)
        assert array.values.argmax(axis=0).tolist() == [0, 2, 3, 4], name
    assert result.arrays["code_std"].values[1] == 0
    assert result.settings["bins"] == 20
    assert result.settings["importance_type"] == "squared_error"
    assert assay(data=Grid((4, 5))).settings["factors_left_out"] is None


def test_images_are_drawn_first_and_encoded_once() -> None:
    data = Grid()
    assay(data=data, batch_size=100, only=["mig"])
    read = torch.cat(data.read[1:])  # the first image is read for the number of latents
    assert torch.equal(read, torch.randperm(len(data), generator=torch.Generator().manual_seed(0))[:600])
    again = Grid()
    shared, only = CachedEncoder(Scaled(torch.eye(5)), again), ["mig", "factorvae"]
    first = assay(shared, again, only=only)
    assert first.scores == assay(shared, again, only=only).scores == assay(batch_size=100, only=only).scores
    assert sum(map(len, again.read)) == 600


def test_score_is_independent_of_other_metrics() -> None:
    whole = assay(Scaled(torch.eye(5) + 0.3))
    for name in of_classes():
        alone = assay(Scaled(torch.eye(5) + 0.3), only=[name])
        assert alone.scores
        assert alone.scores.items() <= whole.scores.items()
        assert alone.settings["only"] == name
        assert all(np.array_equal(array.values, whole.arrays[key].values) for key, array in alone.arrays.items())


def test_the_seed_decides() -> None:
    mixed, data = Scaled(torch.eye(5) + 0.3), Grid((4, 1, 5, 3, 4))
    first, again, other = (assay(mixed, data, seed) for seed in (0, 0, 1))
    assert first.scores == again.scores
    assert first.scores["sap"] != other.scores["sap"]


def test_few_images_are_split_first_and_counted() -> None:
    result = assay(data=Grid((4, 3, 5)))
    named = ("num_images", "num_train", "num_test", "num_points")
    assert [result.settings[name] for name in named] == [60, 40, 20, 60]
    assert result.settings["remark"] == "60 images, of 600 asked for: learned from 40, tested on 20 others"
    assert "with_replacement" not in result.settings
    enough = assay()
    assert [enough.settings[name] for name in named] == [600, 400, 200, 400]
    assert enough.settings["remark"] is None
    with pytest.raises(ValueError, match="takes 4 or more, not 2"):
        assay(data=Grid((2,)))


def test_fits_that_do_not_converge_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert assay(only=["explicitness"]).settings["not_converged"] is None
    monkeypatch.setattr(logistic, "ITERATIONS", 2)
    result = assay(Scaled(torch.eye(5) + 0.3), only=["mig", "betavae", "explicitness"])
    assert result.settings["not_converged"] == "betavae, explicitness"
    said = "the fits of betavae, explicitness did not converge: these scores may be too low"
    assert result.settings["remark"] == said


def test_latents_that_vary_by_rounding_are_named() -> None:
    mixing = torch.eye(5).double()
    mixing[2, 2] = 2.0**-49
    model = Scaled(mixing)
    model.encode = lambda x: x @ mixing + 1  # type: ignore[method-assign]
    result = assay(model, only=["mig", "irs"])
    assert result.settings["remark"] == "latents 2 vary by rounding alone and count as constant"
    assert not result.arrays["mutual_information"].values[2].any()


def test_whole_grid_is_its_own_population() -> None:
    result, data = assay(data=Grid((4, 3, 5)), only=["mig", "unsupervised"]), Grid((4, 3, 5))
    classes = data.factors.classes(torch.arange(60)).numpy()
    assert result.scores["mig"] == pytest.approx(mig(classes.astype(float), classes, bins=20).mig, abs=1e-12)
    assert result.scores["mig"] == pytest.approx(1)
    assert result.scores["gaussian_total_correlation"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("latents", [1, 256])
def test_one_latent_or_256(latents: int) -> None:
    mixing = torch.randn(2, latents, generator=torch.Generator().manual_seed(0))
    result = assay(Scaled(mixing), Grid((12, 10)), only=["mig", "dci", "factorvae", "irs", "unsupervised"])
    assert result.arrays["mutual_information"].values.shape == (latents, 2)
    assert not any(np.isnan(value) for name, value in result.scores.items() if not name.endswith("_se"))


def test_a_collapsed_model_scores_nothing() -> None:
    scores = assay(Scaled(torch.zeros(5, 3))).scores
    for name in ("mig", "sap", "factorvae", "irs", "modularity", "dci_disentanglement", "dci_completeness"):
        assert scores[name] == 0, name
    assert scores["explicitness"] == 0.5
    assert scores["factorvae_latents_kept"] == scores["modularity_latents_kept"] == 0


def test_progress_ends_at_its_end() -> None:
    calls: list[tuple[int, int]] = []
    assay(only=["mig", "irs"], progress=lambda done, steps: calls.append((done, steps)))
    (_, total) = calls[-1]
    assert (calls[0], calls[-1]) == ((0, total), (total, total))
    assert {done * 3 / total for done, _ in calls} >= {0, 1, 2, 3}  # two metrics, and the codes
    assert calls == sorted(calls)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"preset": "slow"}, "preset must be one of study, fast, small, not 'slow'"),
        ({"trees": "forest"}, "trees must be one of lightgbm, sklearn, not 'forest'"),
        ({"only": ["foo"]}, "only must be null or a list of mig, dci, .*, not \\['foo'\\]"),
        ({"only": []}, "only must be null or a list"),
        ({"only": "mig"}, "only must be null or a list"),
        ({"batch_size": 0}, "batch_size must be null or a whole number of at least 1, not 0"),
        ({"data": Grid((1, 1))}, "needs a factor or label with two values, and grid has none"),
        ({"model": Scaled(torch.eye(5) * float("nan"))}, "codes must be finite"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        assay(**settings)

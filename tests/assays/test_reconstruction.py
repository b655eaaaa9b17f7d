"""Reconstruction: errors and costs worked out by hand, for models whose codes are known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from lrx.assays.plotting import drawing
from lrx.assays.reconstruction import plot
from lrx.assays.reconstruction.assay import Settings
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult, Dataset, as_float
from lrx.data.helix import double_helix
from lrx.storage import results
from tests.cli.test_configs import ToyGrid

SETTINGS = {"num_images": 100, "active": 0.01, "shown": 3, "batch_size": 5}


class Dim(nn.Module):
    """A code of four pixels and a constant; decodes to half their brightness."""

    def encode(self, x: Tensor) -> Tensor:
        return torch.cat([x.flatten(1), torch.ones(len(x), 1, dtype=x.dtype)], dim=1)

    def decode(self, z: Tensor) -> Tensor:
        return z[:, :4].view(-1, 1, 2, 2) / 2


class Spread(Dim):
    """The same with a posterior."""

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.encode(x), torch.tensor([0.5, 1, 1, 1, 1], dtype=x.dtype).expand(len(x), 5)


def measure(model: nn.Module, dataset: Dataset | None = None, **changes: object) -> AssayResult:
    data = dataset or ToyGrid((1, 2, 2))
    settings = Settings(**(SETTINGS | changes))  # type: ignore[arg-type]
    result = run_assay(settings, model, data, torch.Generator().manual_seed(0))
    assert isinstance(result, AssayResult)
    return result


def pixels() -> np.ndarray:
    return as_float(ToyGrid((1, 2, 2)).raw(torch.arange(12))).double().flatten(1).numpy()


def test_errors_by_hand() -> None:
    scores, x = measure(Dim()).scores, pixels()
    squared = (x / 2) ** 2
    assert scores["squared_error"] == pytest.approx(squared.sum(1).mean(), rel=1e-6)
    assert scores["squared_error_se"] == pytest.approx(squared.sum(1).std(ddof=1) / math.sqrt(12), rel=1e-6)
    cross = -(x * np.log(x / 2) + (1 - x) * np.log(1 - x / 2)).sum(1)
    assert scores["cross_entropy"] == pytest.approx(cross.mean(), rel=1e-6)
    entropy = -(x * np.log(x) + (1 - x) * np.log(1 - x)).sum(1)
    assert scores["entropy"] == pytest.approx(entropy.mean(), rel=1e-6)
    assert scores["entropy"] < scores["cross_entropy"]
    assert "kl" not in scores


def test_nothing_is_clamped_in_silence() -> None:
    class Bright(Dim):
        def decode(self, z: Tensor) -> Tensor:
            return super().decode(z) * 4 - 0.25

    result, x = measure(Bright()), pixels()
    y = 2 * x - 0.25
    assert result.scores["squared_error"] == pytest.approx(((x - y) ** 2).sum(1).mean(), rel=1e-6)
    outside = 100 * ((y < 0) | (y > 1)).mean()
    assert f"{outside:.2g} % of decoded pixels are outside [0, 1]; cross-entropy" in str(result.settings["remark"])


def test_kl_agrees_with_torch() -> None:
    result, x = measure(Spread()), torch.from_numpy(pixels())
    mean, std = Spread().posterior(x.view(-1, 1, 2, 2))
    kl = kl_divergence(Normal(mean, std), Normal(torch.zeros_like(mean), 1.0))
    np.testing.assert_allclose(result.arrays["kl_per_latent"].values, kl.mean(0), rtol=1e-6)
    np.testing.assert_allclose(
        result.arrays["kl_per_latent_se"].values, kl.std(0) / math.sqrt(12), rtol=1e-5, atol=1e-9
    )
    assert result.scores["kl"] == pytest.approx(float(kl.sum(1).mean()), rel=1e-6)
    assert result.scores["negative_elbo"] == pytest.approx(result.scores["cross_entropy"] + result.scores["kl"])


def test_nan_posterior_is_refused() -> None:
    class Broken(Dim):
        def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.encode(x), torch.full((len(x), 5), math.nan)

    with pytest.raises(ValueError, match="posteriors of the model are not numbers"):
        measure(Broken())


def test_constant_latent_is_not_active() -> None:
    result = measure(Dim())
    assert result.scores["active_units"] == 4
    np.testing.assert_allclose(result.arrays["mean_variance"].values, [*pixels().var(0), 0], rtol=1e-5)
    assert result.settings["remark"] is None
    dead = measure(Dim(), active=10.0)
    assert dead.scores["active_units"] == 0
    assert "no latent is active" in str(dead.settings["remark"])


def test_pairs_for_any_batch_size() -> None:
    one, other = measure(Dim(), shown=7, batch_size=3), measure(Dim(), shown=7, batch_size=100)
    pairs = one.arrays["pair"].values
    assert pairs.shape == (7, 2, 1, 2, 2)
    assert np.array_equal(pairs, other.arrays["pair"].values)
    raw = ToyGrid((1, 2, 2)).raw(torch.from_numpy(one.coordinates["image"])).numpy()
    assert np.array_equal(pairs[:, 0], raw)
    assert np.abs(pairs[:, 1].astype(int) * 2 - raw).max() <= 1
    assert one.scores == pytest.approx(other.scores)


def test_one_vector_and_pictures(tmp_path: Path) -> None:
    class Same(nn.Module):
        def encode(self, x: Tensor) -> Tensor:
            return x

        decode = encode

    single = measure(Same(), double_helix(num_points=1, noise=0.1, seed=0))
    assert single.scores["squared_error"] == 0
    assert math.isnan(single.scores["squared_error_se"])
    assert single.settings["remark"] is None  # one image says nothing of what varies
    assert "cross_entropy" not in single.scores
    for name, result in (("v", single), ("i", measure(Spread()))):
        path = tmp_path / f"{name}.h5"
        results.write(path, {"reconstruction": result}, {"model": "a.VAE", "dataset": "toy"})
        (picture,) = drawing.save(plot.figures, *drawing.read(path, "reconstruction"), tmp_path)
        assert picture.stat().st_size > 1000
    results.write(tmp_path / "none.h5", {"other": single}, {})
    with pytest.raises(ValueError, match="has no reconstruction; it has other"):
        drawing.read(tmp_path / "none.h5", "reconstruction")


@pytest.mark.parametrize(("key", "value"), [("num_images", 0), ("shown", 1.5), ("active", -1), ("batch_size", 0)])
def test_settings_are_checked(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"{key} must be .*not "):
        measure(Dim(), **{key: value})

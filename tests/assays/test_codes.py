"""Codes: images of a seed, active latents, and refused settings."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from lrx.assays.codes.assay import Settings
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult, Dataset, as_float
from lrx.data.splits import part
from tests.cli.test_configs import ToyGrid


class Pixels:
    """Codes are pixels: four latents, of which the last two are 0."""

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1) * torch.tensor([10.0, 10.0, 0.0, 0.0])

    def decode(self, z: Tensor) -> Tensor:
        return z.view(-1, 1, 2, 2)


class Gaussian(Pixels):
    """A posterior of mean 0 but for its last latent; the second is narrow."""

    def encode(self, x: Tensor) -> Tensor:
        return self.posterior(x)[0]

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ones = torch.ones(len(x), 3)
        return ones * torch.tensor([0.0, 0.0, 2.0]), ones * torch.tensor([1.0, 0.5, 1.0])


def run(
    model: object,
    *,
    seed: int = 0,
    num_images: int = 1000,
    dataset: Dataset | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> AssayResult:
    settings, generator = Settings(num_images=num_images, batch_size=5), torch.Generator().manual_seed(seed)
    result = run_assay(settings, model, dataset or ToyGrid((1, 2, 2)), generator, progress=progress)
    assert isinstance(result, AssayResult)
    return result


def test_active_by_kl() -> None:
    result = run(Gaussian())
    # KL(N(m, s^2) | N(0, 1)) = (m^2 + s^2 - 1) / 2 - ln s
    expected = [0.0, (0.25 - 1) / 2 + math.log(2), 2.0]
    assert result.arrays["kl"].values == pytest.approx(expected, abs=1e-6)
    assert result.arrays["active_by_kl"].values.tolist() == [0, 1, 1]
    assert result.scores == {"num_active_by_kl": 2.0}
    assert result.settings["remark"] is None
    assert result.arrays["codes"].values.dtype == np.float32
    assert np.array_equal(result.arrays["codes"].values[0], [0, 0, 2])


def test_active_by_variance_without_posterior() -> None:
    result = run(Pixels())
    assert result.arrays["active_by_kl"].values.tolist() == [1, 1, 0, 0]
    assert "kl" not in result.arrays
    images = result.coordinates["image"]
    assert sorted(images) == list(range(12))  # all of a small data set, each once
    pixels = as_float(ToyGrid((1, 2, 2)).raw(torch.from_numpy(images))).flatten(1).numpy()
    assert result.arrays["codes"].values[:, :2] == pytest.approx(10 * pixels[:, :2], abs=1e-6)
    assert result.arrays["variance"].values[0] == pytest.approx(100 * pixels[:, 0].var(), rel=1e-5)


def test_remark_on_collapsed_codes() -> None:
    class Collapsed(Gaussian):
        def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return torch.full((len(x), 3), 0.1), torch.ones(len(x), 3)  # a KL of 0.005

    result = run(Collapsed())
    assert result.scores == {"num_active_by_kl": 0.0}
    assert result.settings["remark"] == "no latent carries anything (KL above 0.01): the codes have collapsed"


def test_same_images_for_all_models() -> None:
    one, other, third = run(Pixels(), num_images=7), run(Gaussian(), num_images=7), run(Pixels(), num_images=7, seed=1)
    assert one.settings["num_images"] == 7
    assert np.array_equal(one.coordinates["image"], other.coordinates["image"])
    assert not np.array_equal(one.coordinates["image"], third.coordinates["image"])


def test_images_of_a_split() -> None:
    restricted = part(ToyGrid((1, 2, 2)), "train")
    result = run(Pixels(), dataset=restricted)
    assert sorted(result.coordinates["image"]) == sorted(restricted.sample.tolist())


def test_refused_settings_and_codes() -> None:
    with pytest.raises(ValueError, match=r"num_images must be a whole number of at least 2, not 1"):
        run(Pixels(), num_images=1)
    with pytest.raises(ValueError, match=r"batch_size must be null or"):
        Settings(batch_size=0)

    class Broken(Pixels):
        def encode(self, x: Tensor) -> Tensor:
            return super().encode(x) / 0

    with pytest.raises(ValueError, match="codes must be finite"):
        run(Broken())

    class Unsure(Gaussian):
        def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return super().posterior(x)[0], torch.full((len(x), 3), math.nan)

    with pytest.raises(ValueError, match="posteriors of the model are not numbers"):
        run(Unsure())


def test_progress() -> None:
    steps: list[tuple[int, int]] = []
    run(Pixels(), progress=lambda done, total: steps.append((done, total)))
    assert (steps[0][0], steps[-1]) == (0, (12, 12))
    assert steps == sorted(steps)

"""The assay `codes`: which images, which latents count, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from lrx.assays.codes.assay import codes
from lrx.core.types import as_float
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


def run(model: object, *, seed: int = 0, num_images: int = 1000, **settings: object) -> object:
    generator = torch.Generator().manual_seed(seed)
    return codes(model, ToyGrid((1, 2, 2)), generator, num_images=num_images, batch_size=5, **settings)


def test_the_kl_of_a_posterior_says_what_is_carrying() -> None:
    found = run(Gaussian())
    # KL(N(m, s^2) | N(0, 1)) = (m^2 + s^2 - 1) / 2 - ln s
    expected = [0.0, (0.25 - 1) / 2 + math.log(2), 2.0]
    assert found.arrays["kl"].values == pytest.approx(expected, abs=1e-6)
    assert found.arrays["carrying"].values.tolist() == [0, 1, 1]
    assert found.scores == {"num_carrying": 2.0}
    assert found.settings["remark"] is None
    assert found.arrays["codes"].values.dtype == np.float32
    assert np.array_equal(found.arrays["codes"].values[0], [0, 0, 2])


def test_without_a_posterior_the_variance_does() -> None:
    found = run(Pixels())
    assert found.arrays["carrying"].values.tolist() == [1, 1, 0, 0]
    assert "kl" not in found.arrays
    images = found.coordinates["image"]
    assert sorted(images) == list(range(12))  # all of a small data set, each once
    pixels = as_float(ToyGrid((1, 2, 2)).raw(torch.from_numpy(images))).flatten(1).numpy()
    assert found.arrays["codes"].values[:, :2] == pytest.approx(10 * pixels[:, :2], abs=1e-6)
    assert found.arrays["variance"].values[0] == pytest.approx(100 * pixels[:, 0].var(), rel=1e-5)


def test_codes_that_carry_nothing_have_a_remark() -> None:
    class Collapsed(Gaussian):
        def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return torch.full((len(x), 3), 0.1), torch.ones(len(x), 3)  # a KL of 0.005

    found = run(Collapsed())
    assert found.scores == {"num_carrying": 0.0}
    assert found.settings["remark"] == "no latent carries anything (KL above 0.01): the codes have collapsed"


def test_all_models_see_the_images_of_the_seed() -> None:
    one, other, third = run(Pixels(), num_images=7), run(Gaussian(), num_images=7), run(Pixels(), num_images=7, seed=1)
    assert one.settings["num_images"] == 7
    assert np.array_equal(one.coordinates["image"], other.coordinates["image"])
    assert not np.array_equal(one.coordinates["image"], third.coordinates["image"])


def test_a_part_of_a_data_set_gives_images_of_that_part() -> None:
    restricted = part(ToyGrid((1, 2, 2)), "train")
    found = codes(Pixels(), restricted, torch.Generator().manual_seed(0), num_images=1000, batch_size=None)
    assert sorted(found.coordinates["image"]) == sorted(restricted.sample.tolist())


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"num_images must be a whole number of at least 2, not 1"):
        run(Pixels(), num_images=1)
    with pytest.raises(ValueError, match=r"batch_size must be null or"):
        codes(Pixels(), ToyGrid((1, 2, 2)), torch.Generator(), num_images=3, batch_size=0)

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


def test_progress_ends() -> None:
    seen: list[tuple[int, int]] = []
    run(Pixels(), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 1), (1, 1)]

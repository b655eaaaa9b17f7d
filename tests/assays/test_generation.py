from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.generation.assay import Settings, refine, shuffle_latents
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult, Autoencoder
from tests.support.models_for_tests import Vectors
from tests.support.models_for_tests import one_thread as one_thread

SETTINGS: dict[str, Any] = {
    "num_samples": 100,
    "refinements": 2,
    "features": "auto",
    "components": 8,
    "neighbours": 3,
    "probe_steps": 5,
    "cache": None,
    "inception": None,
    "shown": 4,
    "batch_size": 64,
}


class Tied(Vectors):
    """Normal vectors whose two components hang together."""

    def __init__(self) -> None:
        super().__init__(400, 2)
        self.points[:, 1] = self.points[:, 0] + 0.1 * self.points[:, 1]


class Pulled(nn.Module):
    """h(z) = pull z; at 1 the identity: every code decodes to its own vector."""

    def __init__(self, pull: float = 1.0) -> None:
        super().__init__()
        self.pull = nn.Parameter(torch.tensor(pull, dtype=torch.float64))

    def encode(self, x: Tensor) -> Tensor:
        return x

    def decode(self, z: Tensor) -> Tensor:
        return self.pull * z


class Spread(Pulled):
    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, torch.full_like(x, 0.5)


def assay(model: nn.Module, seed: int = 0, data: Vectors | None = None, **settings: Any) -> AssayResult:
    assert isinstance(model, Autoencoder)
    generator = torch.Generator().manual_seed(seed)
    result = run_assay(Settings(**{**SETTINGS, **settings}), model, data or Tied(), generator)
    assert isinstance(result, AssayResult)
    return result


def of(result: AssayResult, name: str) -> dict[str, float]:
    return dict(zip(result.coordinates["source"].tolist(), result.arrays[name].values.tolist(), strict=True))


def test_hybrids_keep_marginals_and_break_dependence() -> None:
    codes = Tied().points
    hybrid = shuffle_latents(codes, torch.Generator().manual_seed(1))
    assert torch.equal(hybrid.sort(dim=0).values, codes.sort(dim=0).values)
    assert abs(float(torch.corrcoef(hybrid.T)[0, 1])) < 0.2 < float(torch.corrcoef(codes.T)[0, 1])


def test_refinement_applies_h_repeatedly() -> None:
    z = Tied().points
    assert torch.equal(refine(Pulled(1.0), z, 5, batch_size=7), z)
    assert torch.allclose(refine(Pulled(0.5), z, 3, batch_size=7), z / 8)
    assert torch.equal(refine(Pulled(0.5), z, 0, batch_size=7), z)


def test_the_identity_reconstructs_its_data_and_refines_nothing() -> None:
    result = assay(Pulled())
    assert result.coordinates["source"].tolist() == ["data", "prior", "hybrid", "refined", "posterior"]
    for name in ("frechet", "kernel", "precision", "recall"):
        found = of(result, name)
        assert found["posterior"] == found["data"]
        assert found["refined"] == found["prior"]
        assert result.scores[f"{name}_hybrid"] == found["hybrid"]
    assert of(result, "mean_u")["prior"] == of(result, "mean_u")["hybrid"] == 0
    assert np.isnan(of(result, "mean_u")["data"])
    found, errors = of(result, "frechet"), of(result, "frechet_se")
    assert abs(found["data"] - of(result, "frechet_bias")["data"]) < 4 * errors["data"]  # images alone are at 0
    assert found["hybrid"] > found["data"] + 4 * errors["hybrid"]
    assert of(result, "precision")["hybrid"] < 0.7 < of(result, "precision")["data"]
    assert result.settings["features"] == "pixels"


def test_remark_on_unread_inception_file() -> None:
    with pytest.warns(UserWarning, match=r"inception is not read with features=auto"):
        assay(Pulled(), inception="w.pth")


def test_mean_u_and_its_error() -> None:
    result = assay(Pulled(0.5), refinements=1)
    found, errors = of(result, "mean_u"), of(result, "mean_u_se")
    assert found["refined"] == pytest.approx(found["prior"] / 2)
    expected = 0.5 * np.sqrt(np.pi / 2)  # half the mean length of a normal pair
    assert abs(found["prior"] - expected) < 4 * errors["prior"]
    assert errors["prior"] == pytest.approx(0.5 * np.sqrt((2 - np.pi / 2) / 100), rel=0.3)


def test_a_posterior_is_sampled_with_its_spread() -> None:
    result = assay(Spread())
    assert result.coordinates["source"].tolist()[-1] == "posterior_sample"
    assert of(result, "frechet")["posterior_sample"] > of(result, "frechet")["posterior"]


def test_seed_matters_and_batch_size_does_not() -> None:
    first, again, other = assay(Spread()), assay(Spread(), batch_size=13), assay(Spread(), seed=1)
    for name, array in first.arrays.items():
        assert np.allclose(array.values, again.arrays[name].values, rtol=1e-9, atol=1e-12, equal_nan=True), name
    assert of(first, "frechet") != of(other, "frechet")
    assert first.arrays["samples"].values.shape == (6, 4, 2)
    assert first.arrays["samples"].axes == ("source", "shown", "dimension")


def test_smallest_latents_and_images() -> None:
    result = assay(Pulled(), data=Vectors(11, 1), shown=20)
    assert result.settings["num_samples"] == 5
    assert result.arrays["samples"].values.shape == (5, 5, 1)
    assert all(np.isfinite(value) for value in result.scores.values())
    with pytest.raises(ValueError, match=r"needs num_samples of at least 5 and twice as many images"):
        assay(Pulled(), data=Vectors(9, 1))
    with pytest.raises(ValueError, match=r"features=probe needs known factors"):
        assay(Pulled(), features="probe")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"features": "faces"}, "features must be one of auto, pixels, probe, inception, not 'faces'"),
        ({"features": "inception"}, "features=inception needs inception=FILE with weights: pt_inception"),
        ({"features": "inception", "inception": ""}, "inception must be null or a file, not ''"),
        ({"features": "inception", "inception": "w.pth"}, "needs images of 1 or 3 channels, and vectors holds"),
        ({"num_samples": 3}, "num_samples must be a whole number of at least 4, not 3"),
        ({"refinements": -1}, "refinements must be a whole number of at least 0, not -1"),
        ({"components": 0}, "components must be a whole number of at least 1, not 0"),
        ({"neighbours": True}, "neighbours must be a whole number of at least 1, not True"),
        ({"shown": 0}, "shown must be a whole number of at least 1, not 0"),
        ({"batch_size": 0}, "batch_size must be null or a whole number of at least 1, not 0"),
        ({"probe_steps": 0}, "probe_steps must be a whole number of at least 1, not 0"),
        ({"cache": 1}, "cache must be null or text, not 1"),
    ],
)
def test_settings_are_checked_at_the_door(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        assay(Pulled(), **settings)

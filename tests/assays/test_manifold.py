from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.manifold.assay import Settings
from lrx.assays.manifold.holes import share, share_beyond
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult
from tests.support.models_for_tests import Linear, Noisy, Vectors
from tests.support.models_for_tests import one_thread as one_thread

SETTINGS: dict[str, Any] = {
    "num_points": 60,
    "codes": "auto",
    "jacobian": "exact",
    "num_probes": 16,
    "threshold": 0.1,
    "quantile": 0.9,
    "batch_size": 128,
}


def assay(
    model: nn.Module,
    data: Vectors | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> AssayResult:
    generator, chosen = torch.Generator().manual_seed(seed), Settings(**{**SETTINGS, **settings})
    result = run_assay(chosen, model, data or Vectors(100, 4), generator, progress=progress)
    assert isinstance(result, AssayResult)
    return result


KINDS = ("exact", "hutchinson")


def random(latents: int = 4) -> Tensor:
    return torch.randn(latents, latents, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def projection(rank: int, latents: int) -> Tensor:
    q, _ = torch.linalg.qr(random(latents))
    return q[:, :rank] @ q[:, :rank].T


def test_linear_response() -> None:
    matrix = random()
    result = assay(Linear(matrix))
    for source in ("prior", "posterior"):
        assert np.allclose(result.arrays[f"divergence_{source}"].values, float(matrix.trace()) - 4, atol=1e-12)
        assert np.allclose(result.arrays[f"spectrum_{source}"].values, torch.linalg.svdvals(matrix), atol=1e-12)
        z = torch.tensor(result.arrays[f"z_{source}"].values)
        assert np.allclose(result.arrays[f"magnitude_{source}"].values, (z @ matrix.T - z).norm(dim=1), atol=1e-12)


def test_identity() -> None:
    result = assay(Linear(torch.eye(4)))
    assert np.array_equal(result.arrays["divergence_prior"].values, np.zeros(60))
    assert np.allclose(result.arrays["spectrum_posterior"].values, 1, atol=1e-14)
    assert result.scores["mean_dimension_prior"] == 4
    assert result.scores["holes_by_divergence"] == 1  # it is nowhere contracting


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_projection_onto_k_directions(rank: int) -> None:
    for source in ("prior", "posterior"):
        result = assay(Linear(projection(rank, 6)), Vectors(100, 6))
        assert (result.arrays[f"dimension_{source}"].values == rank).all()
        assert np.allclose(result.arrays[f"participation_{source}"].values, rank, rtol=1e-10)
        assert np.allclose(result.arrays[f"divergence_{source}"].values, rank - 6, atol=1e-10)
    assert result.scores["holes_by_divergence"] == 0
    assert result.scores["holes_by_divergence_se"] > 0


def test_constant_response() -> None:
    result = assay(Linear(torch.zeros(4, 4)))
    assert result.scores["mean_dimension_prior"] == 0
    assert math.isnan(result.scores["mean_participation_prior"])
    assert (result.arrays["divergence_prior"].values == -4).all()
    assert str(result.settings["remark"]).startswith("at all prior points and codes of images the Jacobian is 0, as of")
    assert assay(Linear(torch.eye(4))).settings["remark"] is None


def test_probes_agree_with_exact_jacobian() -> None:
    matrix = projection(3, 60) + 0.02 * random(60)
    exact = assay(Linear(matrix), Vectors(100, 60), num_points=80)
    probed = assay(Linear(matrix), Vectors(100, 60), num_points=80, jacobian="hutchinson", num_probes=48)
    errors = probed.arrays["divergence_prior"].values - float(matrix.trace()) + 60
    ratio = errors / probed.arrays["divergence_se_prior"].values
    assert np.abs(ratio).max() < 5
    assert 0.75 < np.sqrt((ratio**2).mean()) < 1.25
    assert np.array_equal(exact.arrays["z_prior"].values, probed.arrays["z_prior"].values)
    for name in ("mean_divergence", "mean_participation"):
        off = probed.scores[f"{name}_prior"] - exact.scores[f"{name}_prior"]
        assert abs(off) < 4 * probed.scores[f"{name}_prior_se"]
    assert "spectrum_prior" not in probed.arrays
    assert "mean_dimension_prior" not in probed.scores


def test_as_many_probes_as_latents_are_exact() -> None:
    exact, probed = (assay(Linear(random(8)), Vectors(100, 8), **{"jacobian": kind, "num_probes": 8}) for kind in KINDS)
    assert probed.scores == exact.scores
    assert (probed.settings["jacobian"], probed.settings["num_probes"]) == ("exact", None)
    assert "spectrum_prior" in probed.arrays
    more = assay(Linear(random(9)), Vectors(100, 9), jacobian="hutchinson", num_probes=8)
    assert (more.settings["jacobian"], more.settings["num_probes"]) == ("hutchinson", 8)


class Steps(Linear):
    """h rounds the first latents to multiples of `width`, and passes gradients straight through where it is told so."""

    def __init__(self, rounded: int, *, width: float = 1.0, straight: bool = False, latents: int = 10) -> None:
        super().__init__(torch.eye(latents))
        self.rounded, self.width, self.straight = rounded, width, straight

    def encode(self, x: Tensor) -> Tensor:
        some = x[:, : self.rounded]
        steps = self.width * torch.floor(some / self.width) + self.width / 2
        return torch.cat([some + (steps - some).detach() if self.straight else steps, x[:, self.rounded :]], dim=1)


@pytest.mark.parametrize("kind", ["exact", "hutchinson"])
@pytest.mark.parametrize(("rounded", "names"), [(1, "latent 0:"), (10, "latents 0, 1, 2, 3, 4, 5, 6, 7 and 2 more:")])
def test_plateaus_are_recognised(kind: str, rounded: int, names: str) -> None:
    for width in (50.0, 1.0):  # 50: h is the sign of z, times 25
        settings = {"jacobian": kind, "num_probes": 8}
        result = assay(Steps(rounded, width=width), Vectors(100, 10), **settings)
        assert f"h jumps between plateaus along {names}" in str(result.settings["remark"])
        assert "the response matrix does" in str(result.settings["remark"])
    assert result.scores["mean_divergence_prior"] == pytest.approx(-rounded, abs=1e-6)


def test_straight_through_gradients_are_recognised() -> None:
    remark = str(assay(Steps(4, straight=True), Vectors(100, 10)).settings["remark"])
    assert remark.startswith("small steps change h otherwise than its derivatives say")


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_no_remark_on_smooth_responses(scale: float) -> None:
    class Smooth(Linear):
        """A decoder that saturates and has a kink, whose last latent has next to no effect, in float32."""

        def decode(self, z: Tensor) -> Tensor:
            return scale * (z / scale @ self.matrix.T).tanh().relu()

    matrix = torch.diag(torch.tensor([1.0] * 9 + [1e-4]))
    data = Vectors(100, 10, scale)
    data.points = data.points.float()
    assert assay(Smooth(matrix).float(), data, codes="mean").settings["remark"] is None


def test_probes_of_256_latents() -> None:
    result = assay(Linear(torch.eye(256)), Vectors(100, 256), jacobian="hutchinson", num_points=20)
    assert np.allclose(result.arrays["divergence_posterior"].values, 0, atol=1e-10)  # exact for a diagonal
    assert result.scores["mean_participation_prior"] == pytest.approx(256, rel=0.1)


def test_codes_from_posterior() -> None:
    means = assay(Noisy(random()), codes="mean")
    assert np.array_equal(
        means.arrays["z_posterior"].values, Vectors(100, 4).points[means.coordinates["image"]].numpy()
    )
    drawn = assay(Noisy(random()), num_points=100)
    assert drawn.settings["codes"] == "sample"
    off = drawn.arrays["z_posterior"].values - Vectors(100, 4).points[drawn.coordinates["image"]].numpy()
    assert off.std() == pytest.approx(0.5, rel=0.15)
    assert assay(Linear(random())).settings["codes"] == "mean"
    with pytest.raises(ValueError, match="needs a posterior"):
        assay(Linear(random()), codes="sample")


def test_holes_beyond_quantile_and_their_errors() -> None:
    # |u| = |z|: codes of half the scale leave 1 - F(2 q) of the prior, F of |z|^2 with 2 degrees of freedom
    expected = math.exp(-0.5 * (0.5 * math.sqrt(-2 * math.log(0.1))) ** 2)
    ratios = []
    for seed in range(60):
        z = torch.randn(2, 300, 2, generator=torch.Generator().manual_seed(seed)).double().numpy()
        prior, posterior = np.hypot(*z[0].T), 0.5 * np.hypot(*z[1].T)
        mass, error = share_beyond(prior, posterior, 0.9)
        ratios.append((mass - expected) / error)
    assert 0.75 < np.std(ratios) < 1.25
    assert abs(np.mean(ratios)) < 0.5
    result = assay(Linear(torch.zeros(2, 2)), Vectors(2000, 2, scale=0.5), num_points=2000)
    assert abs(result.scores["holes_by_magnitude"] - expected) < 4 * result.scores["holes_by_magnitude_se"]


def test_share_without_hits_has_an_error() -> None:
    mass, error = share(np.zeros(100, dtype=bool))
    assert mass == 0
    assert 0.005 < error < 0.01
    mass, error = share(np.arange(10_000) < 3000)
    assert (mass, error) == (0.3, pytest.approx(math.sqrt(0.21 / 10_000), rel=1e-3))


def test_one_latent_and_one_image() -> None:
    result = assay(Linear(torch.full((1, 1), 0.4)), Vectors(1, 1))
    assert np.allclose(result.arrays["divergence_posterior"].values, [-0.6])
    assert math.isnan(result.scores["mean_divergence_posterior_se"])
    assert result.settings["num_images"] == 1


def test_same_for_any_batch_size() -> None:
    steps: list[tuple[int, int]] = []
    one = assay(Linear(random()), batch_size=3, progress=lambda done, total: steps.append((done, total)))
    assert np.allclose(one.arrays["spectrum_prior"].values, assay(Linear(random())).arrays["spectrum_prior"].values)
    assert steps[-1] == (480, 480)  # of 120 points, 4 products each


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_points": 1}, "num_points must be a whole number of at least 2, not 1"),
        ({"codes": "all"}, "codes must be one of auto, mean, sample, not 'all'"),
        ({"jacobian": "reverse"}, "jacobian must be one of exact, hutchinson, not 'reverse'"),
        ({"num_probes": 7}, "num_probes must be a whole number of at least 8, not 7"),
        ({"threshold": -1}, "threshold must be a number of at least 0, not -1"),
        ({"quantile": 1}, "quantile must be a number between 0 and 1, not 1"),
        ({"batch_size": 0}, "batch_size must be null or"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        assay(Linear(random()), **settings)

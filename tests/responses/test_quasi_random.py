"""Quasi-random draws of the response matrix: the same answers, honest errors, and smaller ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.response_matrix.precision import rounding_arrays
from lrx.responses.draws import BLOCK, LEAST_QUASI, blocks, net_size, sobol_net
from lrx.responses.matrix import ResponseMatrix
from lrx.responses.measure_matrix import add_draws, measure_matrix
from lrx.responses.measurement import measurement
from tests.assays.test_response_matrix import A, Curved, Linear, Vectors, assay, values, within

QUASI = {"draws": "quasi", "num_samples": 1024, "max_samples": 4096}


def test_net_is_normal_and_even() -> None:
    net = sobol_net(1024, 7, seed=3)
    assert net.dtype == torch.float64
    assert torch.isfinite(net).all()
    cells = (torch.special.ndtr(net) * 1024).floor().long()  # one point in each of 1024 equal cells of each dimension
    assert all(sorted(column.tolist()) == list(range(1024)) for column in cells.T)
    assert torch.equal(net, sobol_net(1024, 7, seed=3))
    assert not torch.equal(net, sobol_net(1024, 7, seed=4))
    assert (net.mean(0).abs() < 1e-3).all()
    assert ((net.var(0) - 1).abs() < 0.01).all()


def test_blocks_do_not_depend_on_their_number() -> None:
    def read(count: int) -> list[torch.Tensor]:
        m = measurement(Linear(A), Vectors(), torch.Generator().manual_seed(1), batch_size=9)
        drawn = blocks(m, base="prior", net=32)
        return [next(drawn).draws().values_ND for _ in range(count)]

    two, four = read(2), read(4)
    assert all(torch.equal(a, b) for a, b in zip(two, four, strict=False))
    assert all(block.shape == (BLOCK, 3) for block in four)
    assert not torch.equal(four[0], four[1])


@pytest.mark.parametrize("samples", [2, 31, 64, 127, 128, 255, 256, 1000, 1024, 5000])
def test_net_size(samples: int) -> None:
    size = net_size(samples)
    assert size & (size - 1) == 0
    assert size <= 32
    assert BLOCK % size == 0
    assert size == 1 or samples // size >= 32
    assert (size == 1) == (samples < LEAST_QUASI)


def spread(num_samples: int, net: int) -> np.ndarray:
    """Standard deviation of the matrix over seeds."""
    data = Vectors(2)
    measured = [
        measure_matrix(
            measurement(Curved(), data, torch.Generator().manual_seed(seed), batch_size=2048),
            base="prior",
            num_samples=num_samples,
            net=net,
        ).on_scale("half")[0]
        for seed in range(80)
    ]
    return torch.stack(measured).std(0).numpy()


def test_default_draws_never_spread_wider_than_independent_ones() -> None:
    settings = {**QUASI, "draws": "quasi"}
    for samples, name in ((64, "independent"), (255, "independent"), (256, "quasi"), (1024, "quasi")):
        assert assay(Curved(), **{**settings, "num_samples": samples}).settings["draws"] == name
    ratio = spread(LEAST_QUASI, 8) / spread(LEAST_QUASI, 1)  # over 1,500 seeds 0.96; over 80 with an error of 0.06
    assert np.sqrt((ratio**2).mean()) < 1.12


def test_linear_autoencoder_gives_transposed_magnitudes() -> None:
    result = assay(Linear(A), **{**QUASI, "num_samples": 16_384, "max_samples": 16_384})
    assert within(result, A.abs().T)
    assert result.settings["draws"] == "quasi"
    assert result.settings["net"] == 32
    assert values(result, "matrix_se").max() < 0.005


def test_coverage_of_95_percent_intervals() -> None:
    def measured(seed: int, num_samples: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        m = measurement(Curved(), Vectors(), torch.Generator().manual_seed(seed), batch_size=512)
        empty = ResponseMatrix(range(3), 3, net=net_size(num_samples))
        matrix = add_draws(m, empty, num_samples=num_samples)
        return [matrix.on_scale(scale) for scale in ("half", "std")]

    truth = [matrix for matrix, _ in measured(99, 2**16)]
    covered = torch.zeros(2, 3, 3)
    repeats = 80
    for seed in range(repeats):
        for scale, (matrix, se) in enumerate(measured(seed, 1024)):
            covered[scale] += (matrix - truth[scale]).abs() <= 1.96 * se
    # 32 nets: 94.1 % of a t distribution with 31 degrees of freedom; 80 repeats have an error of 2.6 %. Errors that
    # are too small or too large by 1.5 would cover 80 or 99.4 %.
    for share in covered / repeats:
        assert 0.89 < share.mean() < 0.985
        assert share.min() > 0.941 - 4 * math.sqrt(0.941 * 0.059 / repeats)


def test_errors_are_smaller_than_of_independent_draws() -> None:
    quasi = np.mean([values(assay(Curved(), seed=seed, **QUASI), "matrix_se") for seed in range(8)], axis=0)
    plain = values(assay(Curved(), num_samples=1024), "matrix_se")
    assert (plain / quasi > 1.2).all()
    assert (plain / quasi).mean() > 1.5


def test_target_se_needs_fewer_draws() -> None:
    settings = {"target_se": 0.005, "num_samples": 512, "max_samples": 65_536}
    quasi, plain = (assay(Curved(), draws=draws, **settings) for draws in ("quasi", "independent"))
    assert quasi.settings["target_reached"]
    assert values(quasi, "matrix_se").max() <= 0.005
    assert quasi.settings["num_samples"] < plain.settings["num_samples"]


def test_independent_data_draws_and_rounded_number() -> None:
    assert assay(Curved(), base="posterior", **QUASI).settings["draws"] == "independent"
    result = assay(Curved(), **{**QUASI, "num_samples": 1025})
    assert result.settings["num_samples"] == 1056
    for key in ("draws", "precision"):
        with pytest.raises(ValueError, match=rf"{key} must be one of .*, not 'best'"):
            assay(Curved(), **{key: "best"})


def test_bf16_stores_its_rounding() -> None:
    model = Curved().float()
    data = Vectors()
    data.points = data.points.float()
    exact, rounded = (assay(model, data=data, precision=precision, **QUASI) for precision in ("float32", "bf16"))
    difference = np.abs(values(exact) - values(rounded))
    assert 0 < difference.max() < 0.05
    rounding = values(rounded, "rounding")
    assert rounding.shape == (3, 3)
    assert rounded.scores["rounding_error"] == rounding.max()
    assert difference.max() < 5 * rounding.max()
    assert "rounding" not in exact.arrays


def test_rounding_of_responses_that_are_infinite_is_none() -> None:
    class Jump(nn.Module):
        """The second response is the same at most base points, and moves where the first latent is set above 1.6."""

        def encode(self, x: Tensor) -> Tensor:
            return torch.stack([x[:, 0], (x[:, 0] > 1.6).to(x)], dim=1)

        def decode(self, z: Tensor) -> Tensor:
            return z

    m = measurement(Jump(), Vectors(), torch.Generator().manual_seed(0))
    found = [rounding_arrays(m, base="prior", scale="std")["rounding"].values for _ in range(16)]
    assert not np.isnan(found).any()

"""Standard errors and stability of the latent graph: bootstrap over groups of draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lrx.responses.matrix import ResponseMatrix
from lrx.responses.measure_matrix import measure_matrix
from lrx.responses.measurement import measurement
from tests.assays.test_latent_graph import Answering, Saturating, assay, responses
from tests.support.models_for_tests import Vectors, values
from tests.support.models_for_tests import one_thread as one_thread


@pytest.mark.parametrize(("entries", "kind"), [({"z0_1": 0.5}, 1), ({"z0_1": 0.4, "z1_0": 0.1}, 2)])
def test_stability_at_threshold_is_one_half(entries: dict[str, float], kind: int) -> None:
    results = [assay(Answering(responses(2, **entries)), seed, Vectors(9, 2), num_samples=1000) for seed in range(60)]
    stability = np.array([values(result, "stability")[0, 1] for result in results])
    # a share of replicates is about uniform: the mean of 60 has the error sqrt(1 / 12 / 60) = 0.04
    assert abs(stability.mean() - 0.5) < 0.13
    there = np.array([values(result, "edge")[0, 1] == kind for result in results])
    assert 0.25 < there.mean() < 0.75
    assert stability[there].min() > 0.35
    assert stability[~there].max() < 0.65
    error = np.array([result.scores[f"num_{('uni', 'bi')[kind - 1]}directional_se"] for result in results])
    assert np.allclose(error, np.sqrt(stability * (1 - stability)), atol=0.01)  # of a Bernoulli number


# groups of data draws are blocks, 16 of 2048 draws: a bootstrap of 16 groups is 1 - sqrt(15 / 16) = 3 % too small, and
# its mean another 2 %. Errors that are off by 1.5 would give a ratio of 0.67 or 1.5.
@pytest.mark.parametrize(("base", "num_samples"), [("prior", 1024), ("posterior", 2048), ("posterior_sample", 2048)])
def test_standard_errors_and_bootstrap_match_repeated_estimates(base: str, num_samples: int) -> None:
    data = Vectors(200_000)  # so many that drawing without replacement makes no difference
    model = Saturating(responses(3, z0_1=0.7, z1_2=0.3, z2_0=0.5) + 0.1)
    estimates, errors, replicates = [], [], []
    for seed in range(50):
        m = measurement(model, data, torch.Generator().manual_seed(seed), batch_size=4096)
        sums = measure_matrix(m, base=base, num_samples=num_samples, num_groups=128)
        matrix, se = sums.on_scale("none")
        estimates.append(matrix)
        errors.append(se)
        replicates.append(torch.cat(list(sums.replicates(100, m.generator))).std(0))
    spread = torch.stack(estimates).std(0)
    for estimated in (errors, replicates):
        ratio = torch.stack(estimated).mean(0) / spread
        # the spread of 50 numbers is known to 10 %: nine of them to 30 %, their mean to 15 %
        assert (ratio - 1).abs().max() < 0.33, ratio
        assert abs(ratio.mean() - 1) < 0.16, ratio


def test_replicates_resample_groups() -> None:
    sums = ResponseMatrix([0], 1, num_groups=4)
    sums.counts_GR[:, 0] = torch.tensor([1, 3, 0, 2])
    sums.squares_GRD[:, 0, 0] = torch.tensor([1, 12, 0, 18])
    replicates = torch.cat(list(sums.replicates(500, torch.Generator().manual_seed(0))))
    ways = {
        round(math.sqrt((a + b + c) / (n + m + k)), 9)
        for a, n in ((1, 1), (12, 3), (18, 2))
        for b, m in ((1, 1), (12, 3), (18, 2))
        for c, k in ((1, 1), (12, 3), (18, 2))
    }
    assert {round(value, 9) for value in replicates.flatten().tolist()} == ways
    assert sums.num_groups == 3


def test_blocks_of_data_draws_are_groups() -> None:
    data = Vectors(300)
    result = assay(Answering(responses(3)), data=data, base="posterior", num_samples=1050)
    assert result.settings["num_groups"] == 11  # blocks of 100 images, and a part of one
    assert assay(Answering(responses(3)), num_samples=1050).settings["num_groups"] == 128
    assert assay(Answering(responses(3)), num_samples=9).settings["num_groups"] == 9

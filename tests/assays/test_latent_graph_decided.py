"""Draws of the latent graph until each edge is decided."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lrx.assays.latent_graph.assay import BIDIRECTIONAL, UNIDIRECTIONAL
from lrx.responses.adaptive import PILOT
from tests.assays.test_latent_graph import Answering, Saturating, assay, responses
from tests.support.models_for_tests import Vectors, values
from tests.support.models_for_tests import one_thread as one_thread

CLEAR = {"z0_1": 0.9, "z2_3": 1.0, "z3_2": 1.2}


def test_draws_go_to_rows_near_thresholds() -> None:
    model = Answering(responses(5, **CLEAR, z1_4=0.505))
    result = assay(model, data=Vectors(dim=5), max_samples=2**15)
    edge, draws = values(result, "edge"), values(result, "num_draws")
    expected = np.zeros((5, 5))
    expected[0, 1] = expected[1, 4] = UNIDIRECTIONAL
    expected[2, 3] = expected[3, 2] = BIDIRECTIONAL
    assert np.array_equal(edge, expected)
    assert draws[1] == draws.max() >= 4 * np.delete(draws, 1).max()
    assert draws[4] == PILOT
    assert result.settings["num_undecided"] == 0
    assert result.settings["num_responses"] < 6 * draws.max()  # of all rows alike


def test_limit_of_draws_leaves_edges_undecided() -> None:
    result = assay(Answering(responses(3, z0_1=0.5)), max_samples=1024)  # on the threshold
    assert result.settings["num_undecided"] == 1
    assert values(result, "num_draws").max() == 1024


def test_decided_edges_are_right_in_95_percent() -> None:
    """The response 0.44 is near the threshold of 0.5, the others are not: edges are those of the truth."""
    right = [
        values(assay(Answering(responses(3, z0_1=0.44)), seed=seed, max_samples=2**14, num_replicates=2), "edge")[0, 1]
        == 0
        for seed in range(60)
    ]
    assert np.mean(right) >= 0.9


@pytest.mark.parametrize("base", ["prior", "posterior"])
def test_stability_of_decided_edges(base: str) -> None:
    result = assay(Saturating(responses(3, z0_1=1.2)), base=base, max_samples=2**13)
    assert values(result, "stability")[0, 1] > 0.95
    same = assay(Saturating(responses(3, z0_1=1.2)), base=base, num_samples=4096)
    assert np.array_equal(values(result, "edge"), values(same, "edge"))
    assert torch.isfinite(torch.from_numpy(values(result, "stability"))).all()


def test_shared_matrix_has_no_limit_of_draws() -> None:
    with pytest.raises(ValueError, match="max_samples needs draws of its own"):
        assay(Answering(responses(3)), num_samples=None, max_samples=2**13)

"""Informative latents and active units of a response matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.assays.test_response_matrix import A, Curved, assay
from tests.support.models_for_tests import Ignoring, Linear, values
from tests.support.models_for_tests import one_thread as one_thread


def test_counts_of_informative_latents_and_active_units() -> None:
    result = assay(Linear(torch.diag(torch.tensor([1.0, 0.3, 0.36], dtype=torch.float64))), num_samples=8000)
    assert values(result, "informative").tolist() == [1, 0, 1]  # 0.36 is 0.51 on the scale `none`
    assert values(result, "informative").dtype == np.uint8
    assert result.scores["num_informative"] == 2
    assert "kl" not in result.arrays
    result = assay(Curved())
    assert result.scores["num_active"] == 3
    assert values(result, "kl").shape == (3,)


@pytest.mark.parametrize("base", ["prior", "posterior", "posterior_sample"])
def test_remark_where_no_latent_is_informative(base: str) -> None:
    result = assay(Ignoring(A), base=base, num_samples=100)
    assert not values(result).any()
    remark = str(result.settings["remark"])
    assert remark.startswith("no latent is informative, that is M_jj > 0.5 on the scale none (the largest is 0)")
    nearly = assay(Linear(torch.diag(torch.tensor([0.2, 0.1, 0.3]))), base="prior", num_samples=100)
    assert "no latent is informative" in str(nearly.settings["remark"])
    assert assay(Linear(A), num_samples=100).settings["remark"] is None


def test_informative_is_on_scale_none_for_each_normalization() -> None:
    model = Linear(torch.diag(torch.tensor([1.0, 0.3, 0.4])))  # sqrt(2) times these on the scale `none`
    for normalization in ("half", "none", "std"):
        result = assay(model, normalization=normalization)
        assert values(result, "informative").tolist() == [1, 0, 1]
        assert "M_jj > 0.5 on the scale none" in result.arrays["informative"].description

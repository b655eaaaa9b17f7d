"""Assays of models with quantised latents: values and weights that results state, thresholds, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays import catalog
from lrx.assays.paper.assay import Settings as Paper
from lrx.assays.run import run_assay
from lrx.assays.traversal.plot import figures as draw_traversal
from lrx.core.types import AssayResult
from tests.assays.test_traversal import Rows
from tests.responses.test_enumeration import VALUES, Dead, Drawn, Grid
from tests.support.class_grid import ClassGrid
from tests.support.models_for_tests import Vectors, values
from tests.support.models_for_tests import one_thread as one_thread


def assay(name: str, model: nn.Module, **settings: Any) -> AssayResult:
    own = catalog.settings_of(name)(**settings)
    return run_assay(own, model, Vectors(400), torch.Generator().manual_seed(0))


def test_results_state_the_weights() -> None:
    for name in ("response_matrix", "latent_graph"):
        settings = assay(name, Grid()).settings
        assert settings["values"] == "each of 4, equal weights"
    settings = assay("response_matrix", Grid(), base="posterior", num_samples=64).settings
    assert settings["values"] == "each of 4, weighted by frequency in 400 images"
    assert "values" not in assay("response_matrix", Drawn(Grid()), num_samples=64).settings


def test_informative_counts_by_the_step() -> None:
    """An identity is informative whatever the scale of its codebook."""
    for scale in (1e-3, 1.0, 1e3):
        result = assay("response_matrix", Grid(scale * VALUES), num_samples=256)
        assert result.scores["num_informative"] == 3
        assert values(result, "read_back") == pytest.approx(np.ones(3), rel=1e-12)
        assert "M_uu / step_u > 0.5" in result.arrays["informative"].description
        graph = assay("latent_graph", Grid(scale * VALUES), num_samples=256)
        assert graph.scores["num_informative"] == 3
    assert assay("response_matrix", Dead(), num_samples=256).scores["num_informative"] == 2


def test_conditioned_responses_of_a_pair_count_in_its_unit() -> None:
    own = catalog.settings_of("conditioned_response")(units=[[0, 1]], num_groups=4)
    result = run_assay(own, Grid(), ClassGrid(4, 3, 5), torch.Generator().manual_seed(0))
    spread = VALUES.std(1, correction=0).numpy()
    assert values(result, "unit") == pytest.approx([np.sqrt(np.mean(spread[:2] ** 2)), spread[2]])
    responsive = (values(result) / values(result, "unit") > 0.5).any(0)
    assert result.scores["num_responsive"] == responsive.sum()


def test_traversal_sets_each_value() -> None:
    result = assay("traversal", Grid(), latents="all", images=2, num_samples=64)
    order = result.coordinates["latent"]
    assert result.coordinates["step"].tolist() == [0, 1, 2, 3]
    assert np.array_equal(values(result, "value"), VALUES[order].numpy())
    assert np.array_equal(values(result, "own_response"), np.broadcast_to(VALUES[order].numpy(), (2, 3, 4)))
    assert values(result, "following") == pytest.approx(np.ones((2, 3)))
    assert (result.settings["steps"], result.settings["extent"]) == (4, None)
    with pytest.raises(ValueError, match=r"steps=5 has no effect on quantised latents, each of whose 4 values is set"):
        assay("traversal", Grid(), steps=5)
    with pytest.raises(ValueError, match="extent=2 has no effect"):
        assay("traversal", Grid(), extent=2)


@pytest.mark.parametrize("name", ["manifold", "response_map", "interpolation", "contraction"])
def test_assays_of_continuous_latents_refuse(name: str) -> None:
    with pytest.raises(ValueError, match=rf"assay={name} .*latents of this model take 4 values each.*response_matrix"):
        assay(name, Grid())


@pytest.mark.parametrize("settings", [{"controls": 4}, {"signed": True}])
def test_rows_of_continuous_latents_refuse(settings: dict[str, Any]) -> None:
    name = next(iter(settings))
    with pytest.raises(ValueError, match=rf"^{name}=\w+ .*latents of this model take 4 values each"):
        assay("response_matrix", Grid(), num_samples=64, **settings)


def test_units_of_several_latents_draw_their_values() -> None:
    """Values of both latents come from one image, or are each drawn from the prior: codes stay on the grid."""
    for base in ("prior", "posterior"):
        result = assay("response_matrix", Grid(), base=base, num_samples=256, units=[[0, 1]])
        assert "values" not in result.settings
        assert values(result, "read_back") == pytest.approx(np.ones(2), rel=1e-12)


def test_paper_refuses_one_by_one() -> None:
    names = ["response_matrix", "traversal", "manifold"]
    own = {name: catalog.settings_of(name)() for name in names}
    results = run_assay(Paper(only=names, assays=own), Grid(), Vectors(400), torch.Generator().manual_seed(0))
    assert "differentiates h" in results["manifold"].settings["remark"]
    assert results["traversal"].settings["values"] == results["response_matrix"].settings["values"]


class Row(Grid):
    """The same through images of one row, whose pixels are sigmoids of the codes."""

    def encode(self, x: Tensor) -> Tensor:
        return super().encode(torch.logit(x[:, 0, 0]))

    def decode(self, z: Tensor) -> Tensor:
        return z.sigmoid()[:, None, None]


def test_traversal_picture_labels_values() -> None:
    own = catalog.settings_of("traversal")(latents="all", images=2, num_samples=64)
    for model, data in ((Grid(), Vectors(40)), (Row(VALUES[[0, 1, 2, 2]]), Rows())):
        result = run_assay(own, model, data, torch.Generator().manual_seed(0))
        assert values(result, "following") == pytest.approx(np.ones((2, len(model.latent_values()))))
        drawn = draw_traversal(result, {})["traversal"]
        assert "each of 4 values" in str(drawn.get_label())
    labels = [label.get_text() for axes in drawn.axes for label in axes.get_xticklabels()]
    assert labels.count("least") == labels.count("largest") == 2  # below the walks of the last row

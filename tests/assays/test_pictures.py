"""Pictures of all assays as a journal prints them: no text on another, none cut off, none too small, in each width."""

from __future__ import annotations

import functools

import pytest
import torch

from lrx.assays import catalog
from lrx.assays.plotting import style
from lrx.assays.plotting.fit import fit
from lrx.assays.plotting.page import Page, on_page
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult
from scripts.toy_assays import ToyMaps, small, sparse_toy, toy
from tests.cli.test_configs import model_from
from tests.support.drawn_texts import faults
from tests.support.models_for_tests import one_thread as one_thread

DRAWN = [name for name in catalog.descriptions() if catalog.figures_of(name) is not None]
PROVENANCE = {"model": "lrx.models.vae.VAE", "dataset": "toy", "dataset_source": "rendered, train part, 64 images"}
LEAST = 6.0  # points of letters


@functools.cache
def measured(name: str) -> AssayResult:
    """Result of an assay on a toy, once for all widths."""
    description, dataset = catalog.descriptions()[name], toy()
    torch.manual_seed(0)
    vectors = model_from("model=vae", "network=mlp", "latent_dim=6", dataset=dataset)
    model = ToyMaps() if description.codes.places else vectors
    if description.codes.sparse:
        model, dataset = sparse_toy()  # type: ignore[assignment]
    return run_assay(small(name), model, dataset, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("width", [3.25, 6.75])
@pytest.mark.parametrize("name", DRAWN)
def test_texts_are_legible_in_print(name: str, width: float) -> None:
    figures = catalog.figures_of(name)
    assert figures is not None
    with style.plot_style(), on_page(Page(width=width, heading=width > 5)):
        for picture, figure in figures(measured(name), PROVENANCE).items():
            fit(figure, width)
            assert figure.get_figwidth() == pytest.approx(width)
            assert not faults(figure, least=LEAST), picture


@pytest.mark.parametrize("name", DRAWN)
def test_preferred_width_is_of_a_journal(name: str) -> None:
    figures = catalog.figures_of(name)
    assert figures is not None
    with style.plot_style():
        for figure in figures(measured(name), PROVENANCE).values():
            assert figure.get_figwidth() in (style.SINGLE, style.DOUBLE)

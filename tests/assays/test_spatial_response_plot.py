"""Picture of spatial responses: bars in order, heat maps in steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lrx.assays.plotting import style
from lrx.assays.run import run_assay
from lrx.assays.spatial_response.assay import Settings
from lrx.assays.spatial_response.plot import figures
from lrx.core.types import AssayResult
from tests.support.maps_for_tests import Noise, Smoothing
from tests.support.models_for_tests import one_thread as one_thread


def test_picture_shows_responses_in_steps() -> None:
    weight = torch.zeros(4, 4, 3, 3, dtype=torch.float64)
    weight[range(4), range(4), 1, 1] = torch.tensor([0.2, 1.0, 0.6, 0.0], dtype=torch.float64)
    weight[0, 1, 1, 2] = 0.5  # channel 1 one place to the left, in channel 0: as a correlation of the kernel
    generator = torch.Generator().manual_seed(0)
    result = run_assay(Settings(num_samples=8), Smoothing(weight), Noise(side=12), generator)
    assert isinstance(result, AssayResult)
    with style.plot_style():
        figure = figures(result, {"model": "m.Smoothing", "dataset": "noise"})["spatial_response"]
        style.png(figure)
    bars, own, others, matrix, reach = figure.axes
    assert [label.get_text() for label in bars.get_xticklabels()] == ["1", "2", "0", "3"]
    assert [bar.get_height() for bar in bars.patches] == pytest.approx([1, 0.6, 0.2, 0])
    centre = np.sqrt((0.2**2 + 1 + 0.6**2) / 4)
    assert own.images[0].get_array()[2, 2] == pytest.approx(centre)
    assert others.images[0].get_array()[2, 1] == pytest.approx(0.25)
    assert np.allclose(matrix.images[0].get_array(), np.diag([0.2, 1, 0.6, 0]))
    assert len(reach.lines) == 4

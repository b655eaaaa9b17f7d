"""Units in conditioned responses, the latent graph and traversals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays import conditioned_response, latent_graph, traversal
from lrx.assays.conditioned_response.assay import Settings as Conditioned
from lrx.assays.latent_graph.assay import Settings as Graph
from lrx.assays.run import run_assay
from lrx.assays.traversal.assay import Settings as Traversal
from lrx.core.settings import Checked
from lrx.core.types import AssayResult, Dataset
from lrx.data.in_memory import as_dataset
from tests.responses.test_units import Majority
from tests.support.maps_for_tests import Noise, Smoothing, SpaceToDepth
from tests.support.models_for_tests import ToyGrid, values
from tests.support.models_for_tests import one_thread as one_thread


def measured(settings: Checked, model: nn.Module, data: Dataset) -> AssayResult:
    result = run_assay(settings, model, data, torch.Generator().manual_seed(0))
    assert isinstance(result, AssayResult)
    return result

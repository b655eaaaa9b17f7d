"""Sessions of models with known responses, for the tests of this folder."""

from __future__ import annotations

import torch

from lrx.core.types import Autoencoder, Dataset
from lrx.explore.session import Session, StoredMatrix
from lrx.responses.measurement import measurement
from scripts.toy_assays import toy
from tests.support.maps_for_tests import SpaceToDepth
from tests.support.models_for_tests import Linear, Vectors

A = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.2, 0.0], [0.25, 0.0, 3.0]], dtype=torch.float64)


def session_of(model: Autoencoder, dataset: Dataset, matrix: StoredMatrix | None = None) -> Session:
    return Session(measurement(model, dataset, torch.Generator().manual_seed(0)), matrix)


def linear(matrix: StoredMatrix | None = None) -> Session:
    """Vectors whose response is A z."""
    return session_of(Linear(A), Vectors(100), matrix)


def pictures() -> Session:
    """Images of a square whose codes (4, 4, 4) are their pixels, so that what is decoded is what was encoded."""
    return session_of(SpaceToDepth(), toy())

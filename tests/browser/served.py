"""Pages of models with known answers, for `python -m tests.browser.served images|vectors`."""

from __future__ import annotations

import sys

import numpy as np
import torch
from torch import Tensor, nn

from lrx.core.adapt import adapt
from lrx.core.factors import FactorSpace
from lrx.data.grid import GridDataset
from lrx.explore.commands import in_python
from lrx.explore.interface import session_of
from lrx.explore.serve import listen, serve
from lrx.explore.session import Session, StoredMatrix
from tests.explore.sessions import A
from tests.support.models_for_tests import Linear, Vectors

LEVELS = (0, 51, 102, 153, 204, 255)


class Halves(nn.Module):
    """Latents 0 and 1 are the brightness of the left and of the right half; latent 2 follows latent 0 and is not seen.

    h = (z_0, z_1, z_0), so that an intervention on latent 2 is overruled, for z_0 and z_1 in [0, 1].
    """

    def code(self, x: Tensor) -> tuple[Tensor, None]:
        left, right = x[..., :4].mean((1, 2, 3)), x[..., 4:].mean((1, 2, 3))
        return torch.stack([left, right, left], 1), None

    def image(self, z: Tensor) -> Tensor:
        return z[:, None, None, :2].repeat_interleave(4, 3).expand(-1, 1, 8, -1)


def grid() -> GridDataset:
    """Images (1, 8, 8) of two halves, over their levels."""
    factors = FactorSpace(names=("left", "right"), sizes=(len(LEVELS),) * 2)
    levels = np.array(LEVELS, dtype=np.uint8)[factors.classes(torch.arange(factors.num_points)).numpy()]
    pixels = np.repeat(levels[:, None, None, :], 4, axis=3).repeat(8, axis=2)
    return GridDataset(name="halves", source="made", fingerprint="halves", factors=factors, pixels=pixels)


def session(kind: str) -> Session:
    """The session of images, behind an adapter and with a matrix, or of vectors, without one."""
    if kind == "vectors":
        return session_of(Linear(A), Vectors(100))
    matrix = np.array([[0.7, np.nan, 0.7], [0.0, 0.8, 0.0], [0.1, 0.2, 0.3]])
    errors = matrix / 10
    errors[2, 0] = np.nan
    stored = StoredMatrix(matrix, errors, "result.h5 (16 draws, base prior)")
    return session_of(adapt(Halves(), encode="code", decode="image"), grid(), stored)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with listen(None) as bound:
        serve(session(sys.argv[1]), in_python("model, images"), bound, announce=lambda line: print(line, flush=True))

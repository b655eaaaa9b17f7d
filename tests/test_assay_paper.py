"""Every assay in one go: which are run, on which draws, and how often images are encoded."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.paper import paper
from lrx.codes import encode_images
from lrx.data.helix import double_helix
from lrx.types import Array, AssayResult, Dataset
from tests.test_configs import ToyGrid


class Counting(nn.Module):
    """Pixels are codes; counts what it encodes."""

    encoded = 0

    def encode(self, x: Tensor) -> Tensor:
        self.encoded += len(x)
        return x.flatten(1)

    def decode(self, z: Tensor) -> Tensor:
        return z.view(-1, 1, 2, 2)


def looking(size: int) -> object:
    """An assay that encodes images drawn from its generator, and tells their codes."""

    def assay(model: nn.Module, dataset: Dataset, generator: torch.Generator, *, progress: object) -> AssayResult:
        indices = torch.randperm(len(dataset), generator=generator)[:size]
        codes = encode_images(model, dataset, indices, batch_size=4)
        assert callable(progress)
        progress(1, 2)
        progress(2, 2)
        return AssayResult(arrays={"codes": Array(codes.numpy(), ("image", "latent"))}, coordinates={})

    return assay


def test_assays_share_draws_and_codes() -> None:
    model, seen = Counting(), []
    results = paper(
        model,
        ToyGrid((1, 2, 2)),
        torch.Generator().manual_seed(0),
        assays={"small": looking(4), "large": looking(7)},
        need_factors=["large"],
        only=None,
        progress=lambda done, total: seen.append(done / total),
    )
    assert list(results) == ["small", "large"]
    small, large = (results[name].arrays["codes"].values for name in ("small", "large"))
    assert np.array_equal(small, large[:4])
    assert model.encoded == 7
    assert seen == [0.25, 0.5, 0.75, 1.0]


def test_what_does_not_fit_the_data_is_left_out_or_refused() -> None:
    helix, generator = double_helix(num_points=9, noise=0.1, seed=0), torch.Generator()
    assays = {"plain": looking(3), "graded": looking(3)}
    found = paper(
        Counting(), helix, generator, assays=assays, need_factors=["graded"], only=None, progress=lambda *_: None
    )
    assert list(found) == ["plain"]
    with pytest.raises(ValueError, match=r"only=graded needs known factors.*double helix"):
        paper(Counting(), helix, generator, assays=assays, need_factors=["graded"], only=["graded"])
    with pytest.raises(ValueError, match="plain, graded, not other"):
        paper(Counting(), helix, generator, assays=assays, need_factors=[], only="other")

"""Units: which elements are set together, values that go with them, and what is read back of a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrx.assays.response_matrix.assay import Settings
from lrx.assays.run import run_assay
from lrx.core.types import AssayResult
from lrx.core.validation import SettingError
from lrx.responses.draws import draws
from lrx.responses.measurement import measurement
from lrx.responses.units import units_of
from tests.support.maps_for_tests import Noise, Smoothing, SpaceToDepth
from tests.support.models_for_tests import Linear, Vectors, values
from tests.support.models_for_tests import one_thread as one_thread


class Agreeing(nn.Module):
    """Code (s, s, t) of observations (s, t), s of -0.5 or 0.5: decoding gives s where its two latents agree, else 0."""

    def encode(self, x: Tensor) -> Tensor:
        return torch.stack([x[:, 0], x[:, 0], x[:, 1]], dim=1)

    def decode(self, z: Tensor) -> Tensor:
        return torch.stack([torch.where(z[:, 0] == z[:, 1], z[:, 0], 0.0), z[:, 2]], dim=1)


class Majority(Agreeing):
    """Code (s, s, s, t): decoding gives the median of the first three, so no single one answers."""

    def encode(self, x: Tensor) -> Tensor:
        return torch.stack([x[:, 0], x[:, 0], x[:, 0], x[:, 1]], dim=1)

    def decode(self, z: Tensor) -> Tensor:
        return torch.stack([z[:, :3].median(dim=1).values, z[:, 3]], dim=1)


class Signs(Vectors):
    """Observations (s, t): a sign times 0.5, and a normal number."""

    def __init__(self) -> None:
        super().__init__(2000, dim=2)
        self.points[:, 0] = 0.5 * self.points[:, 0].sign()


def matrix(model: nn.Module, data: Any, seed: int = 0, **settings: Any) -> AssayResult:
    given = Settings(**{"num_samples": 512, **settings})
    result = run_assay(given, model, data, torch.Generator().manual_seed(seed))
    assert isinstance(result, AssayResult)
    return result


@pytest.mark.parametrize(
    ("chosen", "labels", "sizes"),
    [
        ("channel", [0, 1, 2], [12] * 3),
        (None, [0, 1, 2], [12] * 3),
        ("place", [f"y {y} x {x}" for y in range(3) for x in range(4)], [3] * 12),
        ("site", [f"channel {c} y {y} x {x}" for c in range(3) for y in range(3) for x in range(4)], [1] * 36),
        ("patch:2", ["y 0 x 0", "y 0 x 2", "y 2 x 0", "y 2 x 2"], [12, 12, 6, 6]),
    ],
)
def test_units_of_a_map(chosen: str | None, labels: list[object], sizes: list[int]) -> None:
    units = units_of((3, 3, 4), chosen)
    assert units.labels.tolist() == labels
    assert units.sizes_U.tolist() == sizes
    where = torch.stack(torch.meshgrid(*(torch.arange(n) for n in (3, 3, 4)), indexing="ij")).flatten(1)
    for unit, members in enumerate(units.members):
        for axis, name in enumerate(("channel", "y", "x")):
            if name in units.positions:
                assert int(where[axis, members].min()) == units.positions[name][unit]


def test_lists_and_the_latents_that_none_names() -> None:
    units = units_of((5,), [[3, 1], [0]])
    assert [members.tolist() for members in units.members] == [[1, 3], [0], [2], [4]]
    assert units.labels.tolist() == ["1+3", "0", "2", "4"]


@pytest.mark.parametrize(
    ("shape", "chosen", "message"),
    [
        ((4,), "channel", r"units=channel needs codes \(channel, y, x\), and those of this model are vectors of 4"),
        ((4,), "pairs", r"units must be element, channel, place, site, patch:k or lists of latents, not 'pairs'"),
        ((4, 2, 2), "patch:0", "units must be element, .* not 'patch:0'"),
        ((4,), [[0, 1], [1]], "units must name each latent once, and 1 is named twice"),
        ((4,), [[0, 4]], "units must name latents of 0 to 3, not 4"),
        ((4,), [[0], []], "none of them empty"),
        ((4, 2, 2), [[0, 1]], "names latents of a vector"),
    ],
)
def test_wrong_units_are_refused(shape: tuple[int, ...], chosen: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        units_of(shape, chosen)


@pytest.mark.parametrize("units", ["channel", "place", "site", "patch:2"])
def test_space_to_depth_round_trip(units: str) -> None:
    result = matrix(SpaceToDepth(), Noise(), units=units, num_samples=64)
    assert np.array_equal(values(result, "read_back"), np.ones(len(values(result, "read_back"))))
    assert not values(result, "read_back_se").any()
    off = values(result) - np.diag(values(result).diagonal())
    assert not off.any()
    assert np.allclose(values(result).diagonal(), values(result, "step"), rtol=1e-12)
    assert values(result, "informative").all()
    assert result.settings["base"] == "posterior"


def test_fixed_convolution_moves_channels_by_its_weights() -> None:
    kernel = torch.zeros(4, 4, 1, 1, dtype=torch.float64)
    kernel[:, :, 0, 0] = torch.tensor([[0.9, 0, 0, 0.2], [0, 0.4, 0, 0], [-0.3, 0, 1, 0], [0, 0, 0, 0]])
    result = matrix(Smoothing(kernel), Noise(), num_samples=64)
    per_step = values(result) / values(result, "step")[:, None]
    assert np.allclose(per_step, kernel[:, :, 0, 0].abs().T, atol=1e-12)  # row set, column responding
    assert values(result, "informative").tolist() == [1, 0, 1, 0]


def test_pair_answers_where_no_single_latent_does() -> None:
    single = matrix(Agreeing(), Signs(), base="posterior", normalization="none")
    assert values(single, "informative").tolist() == [0, 0, 1]
    assert np.allclose(values(single, "read_back"), [0.5, 0.5, 1], atol=1e-12)
    pair = matrix(Agreeing(), Signs(), base="posterior", normalization="none", units=[[0, 1]])
    assert values(pair, "informative").tolist() == [1, 1]
    assert np.allclose(values(pair, "read_back"), 1, atol=1e-12)
    assert pair.coordinates["intervened"].tolist() == ["0+1", "2"]


def test_group_answers_whose_latents_are_each_overruled() -> None:
    single = matrix(Majority(), Signs(), base="posterior")
    assert values(single)[:3].tolist() == [[0.0] * 4] * 3
    group = matrix(Majority(), Signs(), base="posterior", units=[[0, 1, 2]])
    assert np.allclose(values(group, "read_back"), 1, atol=1e-12)


def test_unit_takes_its_values_from_one_image() -> None:
    m = measurement(Linear(torch.eye(4, dtype=torch.float64)), Vectors(300, dim=4), torch.Generator().manual_seed(1))
    m = m.with_units([[0, 2], [1, 3]])
    block = next(draws(m, base="posterior"))
    for members in m.units.members:
        taken = block.values_ND[:, members]
        same = (taken[:, None] == block.z_ND[None][:, :, members]).all(-1)  # of which draw are both latents?
        assert same.sum(1).tolist() == [1] * len(taken)
        assert not same.diagonal().any()


def test_prior_values_of_a_unit_are_independent() -> None:
    A = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)  # h_1 of equal values does not move
    result = matrix(Linear(A), Vectors(dim=2), units=[[0, 1]], num_samples=4096, normalization="none")
    # E of the mean of (s0 + s1)^2 and (s0 - s1)^2, of independent steps of variance 2 each, is 4
    assert values(result)[0, 0] == pytest.approx(2, abs=5 * values(result, "matrix_se")[0, 0])
    assert result.settings["draws"] == "quasi"


@pytest.mark.parametrize("base", ["prior", "posterior"])
def test_read_back_error_matches_spread(base: str) -> None:
    A = torch.tensor([[0.6, 0.5, 0.0], [0.0, 0.8, 0.3], [0.2, 0.0, 0.4]], dtype=torch.float64)
    drawn = [matrix(Linear(A), Vectors(), seed, base=base, units=[[0, 1]], draws="independent") for seed in range(60)]
    ratios = np.stack([values(result, "read_back") for result in drawn])
    errors = np.stack([values(result, "read_back_se") for result in drawn])
    # the spread of 60 numbers is known to 9 %; the error of a single latent is 0: it is read as 0.4 of any step
    assert np.allclose(errors[:, 0].mean() / ratios[:, 0].std(ddof=1), 1, atol=0.3)
    assert np.allclose(ratios[:, 1], 0.4, rtol=1e-9)
    assert errors[:, 1].max() < 1e-7


@pytest.mark.parametrize("base", ["prior", "posterior"])
def test_order_of_single_latents_orders_rows_and_columns(base: str) -> None:
    order, A = [2, 0, 1], torch.tensor([[1.0, 0.5, 0.0], [0.0, 2.0, 0.3], [0.0, 0.0, 3.0]], dtype=torch.float64)
    result = matrix(Linear(A), Vectors(), base=base, units=[[2], [0]])
    assert result.coordinates["responding"].tolist() == ["2", "0", "1"]
    per_step = values(result) / values(result, "step")[:, None]
    assert np.allclose(per_step, A.abs().T.numpy()[np.ix_(order, order)], atol=1e-9)
    assert np.allclose(values(result, "read_back"), [3, 1, 2], atol=1e-9)


def test_prior_of_a_map_is_refused() -> None:
    with pytest.raises(SettingError, match=r"base=prior: no prior is known of codes \(4, 2, 2\)"):
        matrix(SpaceToDepth(), Noise(), base="prior")
    with pytest.raises(SettingError, match="normalization=std is of single latents"):
        matrix(SpaceToDepth(), Noise(), normalization="std")

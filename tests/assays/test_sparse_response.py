"""Responses of sparse codes: known answers, shards, refusals, the interface in python."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import lrx
from lrx.assays import catalog
from lrx.assays.run import run_assay
from lrx.assays.sparse_response.assay import Settings
from lrx.core.types import AssayResult, Dataset
from lrx.core.validation import SettingError
from lrx.models.sparse_autoencoder import SparseAutoencoder
from lrx.responses.work_units import Shard, ShardDone, StoredUnits
from tests.support.models_for_tests import Vectors
from tests.support.models_for_tests import one_thread as one_thread
from tests.support.sparse_codes import model_of, orthonormal, random_model, random_vectors, sparse_vectors

DECODER = orthonormal()


def measured(model: SparseAutoencoder, dataset: Dataset | None = None, **settings: object) -> AssayResult:
    chosen = Settings(**{"num_samples": 16, **settings})  # type: ignore[arg-type]
    result = run_assay(chosen, model, dataset or sparse_vectors(DECODER), torch.Generator().manual_seed(0))
    assert isinstance(result, AssayResult)
    return result


def values_of(result: AssayResult, *names: str) -> np.ndarray:
    return np.stack([result.arrays[name].values for name in names])


@pytest.mark.parametrize("values", ["other", "ablate", "insert"])
def test_orthonormal_dictionary(values: str) -> None:
    threshold = torch.full((6,), 0.5, dtype=torch.float64)  # above what float32 vectors leave of inactive ones
    result = measured(model_of(DECODER.T, DECODER, threshold_D=threshold), values=values)
    np.testing.assert_allclose(values_of(result, "gain", "selectivity", "obeyed"), 1, atol=1e-6)
    assert not values_of(result, "switched_on", "switched_off", "hidden_overlap").any()
    assert result.arrays["start"].values.tolist() == list(range(7))  # a row holds the feature alone
    assert result.arrays["responding"].values.tolist() == list(range(6))
    np.testing.assert_allclose(result.arrays["value"].values, result.arrays["step"].values, rtol=1e-9)
    assert result.scores["explained"] > 1 - 1e-9


@pytest.mark.parametrize(("scale", "obeyed"), [(0.8, 1.0), (0.4, 0.0)])
def test_weaker_encoder(scale: float, obeyed: float) -> None:
    threshold = torch.full((6,), 0.1, dtype=torch.float64)
    result = measured(model_of(scale * DECODER.T, DECODER, threshold_D=threshold))
    np.testing.assert_allclose(result.arrays["gain"].values, scale, rtol=1e-9)
    np.testing.assert_allclose(result.arrays["selectivity"].values, 1, rtol=1e-9)
    np.testing.assert_allclose(result.arrays["obeyed"].values, obeyed)


def test_duplicated_feature() -> None:
    decoder = torch.cat([DECODER, DECODER[:1]])
    threshold = torch.full((7,), 0.5, dtype=torch.float64)
    result = measured(model_of(decoder.T, decoder, threshold_D=threshold))
    first, second = result.arrays["start"].values[:2]
    assert sorted(result.arrays["responding"].values[first:second]) == [0, 6]
    value = result.arrays["value"].values[first:second]
    np.testing.assert_allclose(value[0], value[1], rtol=1e-12)  # M_jk = M_jj
    np.testing.assert_allclose(result.arrays["selectivity"].values, [0.5, 1, 1, 1, 1, 1, 0.5], rtol=1e-9)


def test_ablation_switches_nothing_of_itself() -> None:
    """A feature that inhibits another: ablating it lets the other go on; only others are counted."""
    encoder = DECODER.T.clone()
    encoder[:, 1] -= 3 * DECODER[0]
    threshold = torch.full((6,), 0.5, dtype=torch.float64)
    codes = torch.ones(50, 6, dtype=torch.float64)
    dataset = lrx.as_dataset((codes @ DECODER).numpy())
    # f_1 is never active with f_0, so it is put in by a bias: p_1 = f_1 - 3 f_0 + 2
    bias = torch.tensor([0, 2.0, 0, 0, 0, 0], dtype=torch.float64)
    result = measured(
        model_of(encoder, DECODER, bias_D=bias, gate_bias_D=bias, threshold_D=threshold), dataset, values="ablate"
    )
    assert result.arrays["switched_on"].values[0] == 1
    assert result.arrays["switched_off"].values[0] == 0
    assert result.arrays["num_draws"].values.tolist() == [16, 0, 16, 16, 16, 16]


def test_features_that_are_measured() -> None:
    model, dataset = random_model("jumprelu"), random_vectors()
    whole, part = measured(model, dataset), measured(model, dataset, features=[3, 11])
    assert part.coordinates["feature"].tolist() == [3, 11]
    assert len(part.arrays["start"].values) == 3
    assert len(measured(model, dataset, num_features=5).arrays["gain"].values) == 5
    np.testing.assert_array_equal(whole.arrays["hidden_overlap"].values[[3, 11]], part.arrays["hidden_overlap"].values)
    row = slice(*part.arrays["start"].values[:2])
    assert 0 < len(part.arrays["value"].values[row]) <= 20
    short = measured(model, dataset, features=[3, 11], most_responding=2)
    assert short.arrays["start"].values.tolist() == [0, 2, 4]
    np.testing.assert_array_equal(short.arrays["value"].values[:2], part.arrays["value"].values[:2])


def test_shards_give_the_same_result() -> None:
    model, dataset = random_model("topk", features=150), random_vectors()
    whole = measured(model, dataset)
    values = {}
    for number in (1, 2, 3):
        shard = Shard(number, 3)
        with pytest.raises(ShardDone):
            run_assay(Settings(num_samples=16), model, dataset, torch.Generator().manual_seed(0), share=shard)
        values |= shard.values_by_key
    share = StoredUnits(lambda key: values[key])
    joined = run_assay(Settings(num_samples=16), model, dataset, torch.Generator().manual_seed(0), share=share)
    assert isinstance(joined, AssayResult)
    for name, array in whole.arrays.items():
        np.testing.assert_array_equal(array.values, joined.arrays[name].values)
    assert joined.scores == whole.scores


def test_progress_reaches_total() -> None:
    seen: list[tuple[int, int]] = []
    run_assay(
        Settings(num_samples=4),
        random_model("gated"),
        random_vectors(),
        torch.Generator(),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1][0] == seen[-1][1]


@pytest.mark.parametrize("name", [name for name, entry in catalog.descriptions().items() if not entry.codes.sparse])
def test_other_assays_refuse(name: str) -> None:
    with pytest.raises(ValueError, match=f"assay={name} sets latents .* give assay=sparse_response"):
        run_assay(catalog.settings_of(name)(), random_model("standard"), random_vectors(), torch.Generator())


def test_dense_model_is_refused() -> None:
    class Dense(torch.nn.Module):
        def encode(self, x: torch.Tensor) -> torch.Tensor:
            return x

        decode = encode

    with pytest.raises(ValueError, match="Dense has dense latents, whose assay is response_matrix"):
        run_assay(Settings(), Dense(), Vectors(), torch.Generator())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"features": [20]}, "features must be some of 0 to 19"),
        ({"features": [1, 1]}, "each once"),
        ({"features": []}, "features must be some of 0 to 19"),
        ({"features": [1], "num_features": 2}, "give features or num_features, not both"),
        ({"values": "zero"}, "values must be one of other, ablate, insert"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, object], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        measured(random_model("standard"), random_vectors(), **settings)


def test_vectors_that_activate_nothing() -> None:
    model = model_of(DECODER.T, DECODER, threshold_D=torch.full((6,), 99.0, dtype=torch.float64))
    with pytest.raises(ValueError, match="no feature is active on enough of 400 vectors of sums"):
        measured(model)


def test_too_many_activations_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrx.responses.active_features.MOST_ACTIVATIONS", 100)
    with pytest.raises(SettingError, match=r"num_vectors=4096 is too many: \d+ features are active on a vector"):
        measured(random_model("standard"), random_vectors())


def test_python_interface_takes_activations() -> None:
    activations = random_vectors().raw(torch.arange(300)).numpy()
    result = lrx.assay("sparse_response", random_model("standard"), activations, num_samples=8)
    assert isinstance(result, lrx.Result)
    assert result.gain.values.shape == (20,)
    assert "mean_selectivity" in repr(result)
    assert dataclasses.is_dataclass(lrx.settings("sparse_response"))

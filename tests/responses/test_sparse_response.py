"""Exact responses of sparse codes: two passes agree with them, and their errors with the spread over draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lrx.data.in_memory import as_dataset
from lrx.models.sparse_autoencoder import SparseAutoencoder
from lrx.responses import active_features as active_module
from lrx.responses.active_features import ActiveFeatures, active_features
from lrx.responses.contract import check_contract
from lrx.responses.sparse_draws import VALUES, draws_of, num_draws
from lrx.responses.sparse_response import STATISTICS, FeatureResponse, feature_response
from tests.support.models_for_tests import one_thread as one_thread
from tests.support.sparse_codes import KINDS, model_of, random_model, random_vectors

NUM_SAMPLES = 24


def encoded(model: SparseAutoencoder) -> ActiveFeatures:
    return active_features(model, random_vectors(), torch.Generator().manual_seed(0), num_vectors=200)


def responses(
    model: SparseAutoencoder, active: ActiveFeatures, values: str, seed: int = 0, samples: int = NUM_SAMPLES
) -> list[tuple[tuple[torch.Tensor, torch.Tensor], FeatureResponse]]:
    """Draws and response of each feature."""
    counts, generator = num_draws(active, values=values, num_samples=samples), torch.Generator().manual_seed(seed)
    result = []
    for feature, count in enumerate(counts.tolist()):
        draws = draws_of(active, feature, count, values=values, generator=generator)
        g_D = model.rows_of_g(model.decoder_DP[feature : feature + 1])[0]
        result.append((draws, feature_response(model, active, feature, draws=draws, g_D=g_D, most=len(counts))))
    return result


def test_inserted_value_is_the_median() -> None:
    active = encoded(random_model(KINDS[0]))
    counts = num_draws(active, values="insert", num_samples=NUM_SAMPLES).tolist()
    numbers = set()
    for feature, count in enumerate(counts):
        if count:
            _, changes = draws_of(active, feature, count, values="insert", generator=torch.Generator())
            activations = active.of(feature)[1].numpy()
            np.testing.assert_allclose(changes.numpy(), np.median(activations), rtol=1e-12)
            numbers.add(len(activations) % 2)
    assert numbers == {0, 1}


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("kind", KINDS)
def test_two_passes_agree(kind: str, values: str) -> None:
    """encode(decode(f)) before and after the intervention, of codes that are encoded anew."""
    model = random_model(kind)
    active, dataset = encoded(model), random_vectors()
    order = torch.randperm(300, generator=torch.Generator().manual_seed(0))[:200]
    codes = model.encode(dataset.raw(order).double())
    measured = 0
    for feature, ((vectors, changes), response) in enumerate(responses(model, active, values)):
        if not len(vectors):
            assert response.statistics[0] == 0
            continue
        measured += 1
        before = codes[vectors]
        after = before.clone()
        after[:, feature] += changes
        if values == "other":
            assert (before[:, feature] > 0).all()
            assert (after[:, feature] > 0).all()
        else:
            assert ((before if values == "insert" else after)[:, feature].abs() < 1e-12).all()
        h_before, h_after = (model.encode(model.decode(f)) for f in (before, after))
        d = (h_after - h_before).numpy()
        own = d[:, feature]
        switched = [((h_after > 0) & (h_before == 0)), ((h_after == 0) & (h_before > 0))]
        expected = {
            "num_draws": len(vectors),
            "step": np.sqrt((changes.numpy() ** 2).mean()),
            "gain": np.sqrt((own**2).mean() / (changes.numpy() ** 2).mean()),
            "obeyed": (own / changes.numpy() > 0.5).mean(),
            "selectivity": (own**2).sum() / (d**2).sum() if d.any() else np.nan,
            **{
                f"switched_{name}": (mask.sum(1) - mask[:, feature].long()).double().mean()
                for name, mask in zip(("on", "off"), switched, strict=True)
            },
        }
        for name, value in expected.items():
            np.testing.assert_allclose(response.statistics[STATISTICS.index(name)], value, rtol=1e-9, err_msg=name)
        row = np.zeros(len(model.decoder_DP))
        row[response.responding_K] = response.value_K
        np.testing.assert_allclose(row, np.sqrt((d**2).mean(0)), rtol=1e-9, atol=1e-12)
        assert (np.diff(response.value_K) <= 0).all()
    assert measured > len(model.decoder_DP) // 2


@pytest.mark.parametrize("kind", ["jumprelu", "topk"])
def test_rows_at_once_change_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model(kind)
    whole = responses(model, encoded(model), "other")
    monkeypatch.setattr(active_module, "ENTRIES", 5 * len(model.decoder_DP))
    for (_, one), (_, other) in zip(whole, responses(model, encoded(model), "other"), strict=True):
        # one that is 0 comes out as 1e-16, by rounding that depends on the processor
        np.testing.assert_allclose(one.statistics, other.statistics, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(one.value_se_K, other.value_se_K, rtol=1e-9)


def test_errors_match_spread_over_draws() -> None:
    """Of 150 measurements with draws of their own, the spread is the error that each states."""
    model = random_model("jumprelu")
    active = active_features(model, random_vectors(count=20_000), torch.Generator(), num_vectors=20_000)
    feature = int(active.starts_D1.diff().argmax())
    count, names = 40, ("gain", "selectivity", "switched_on", "switched_off")
    generator, found = torch.Generator().manual_seed(1), []
    for _ in range(150):
        draws = draws_of(active, feature, count, values="other", generator=generator)
        g_D = model.rows_of_g(model.decoder_DP[feature : feature + 1])[0]
        found.append(feature_response(model, active, feature, draws=draws, g_D=g_D, most=20))
    statistics = np.stack([response.statistics for response in found])
    for name in names:
        place = STATISTICS.index(name)
        spread, stated = statistics[:, place].std(ddof=1), statistics[:, len(STATISTICS) + place - 2].mean()
        assert 0.75 < stated / spread < 1.3, (name, stated, spread)
    (k,) = [int(response.responding_K[0]) for response in found[:1]]
    values = [dict(zip(r.responding_K.tolist(), zip(r.value_K, r.value_se_K, strict=True), strict=True)) for r in found]
    pairs = np.array([value[k] for value in values])
    assert 0.75 < pairs[:, 1].mean() / pairs[:, 0].std(ddof=1) < 1.3


def test_draws_use_each_vector_once() -> None:
    model = random_model("standard")
    active = encoded(model)
    vectors, values = active.of(0)
    count = int(num_draws(active, values="other", num_samples=10_000)[0])
    assert count == len(vectors) // 2
    chosen, changes = draws_of(active, 0, count, values="other", generator=torch.Generator())
    activation = dict(zip(vectors.tolist(), values.tolist(), strict=True))
    given = [round(activation[v] + c, 9) for v, c in zip(chosen.tolist(), changes.tolist(), strict=True)]
    rest = {round(a, 9) for v, a in activation.items() if v not in chosen.tolist()}
    assert len(set(chosen.tolist())) == count
    assert set(given) <= rest
    assert len(set(given)) == count


def test_normalising_code_is_no_doubtful_one() -> None:
    """Vectors are compared with what is decoded in its units: a code that keeps directions reconstructs them."""
    eye = torch.eye(6, dtype=torch.float64)
    model = model_of(torch.cat([eye, -eye], 1), torch.cat([eye, -eye]), normalisation="constant_norm_rescale")
    vectors = random_vectors().raw(torch.arange(100)).numpy()
    assert check_contract(model, as_dataset(50 * vectors)) == []

"""Responses of a sparse code: is a feature read as it was set, and which others go on or off with it?

For f the code of a vector, h(f) = encode(decode(f)) and d = h(do(f_j := v)) - h(f), over draws of `lrx.responses.
sparse_draws`:

    gain_j = sqrt(E[d_j^2] / E[(v - f_j)^2])        1: read as it was set
    obeyed_j = P(d_j (v - f_j) > (v - f_j)^2 / 2)   share of draws that the feature follows
    selectivity_j = E[d_j^2] / E[sum_k d_k^2]       1: no other feature moves
    M_jk = sqrt(E[d_k^2])                           rows, for the k that respond most

Exact, without a pass of a network (`lrx.responses.sparse_response`). D features, F measured ones, R entries of rows, Q
pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.core.settings import AssaySettings, setting, stored
from lrx.core.sparse_code import SparseCode
from lrx.core.statistics import mean_and_se
from lrx.core.types import Array, AssayResult
from lrx.core.validation import SettingError
from lrx.responses.active_features import ActiveFeatures, active_features, rows_at_once
from lrx.responses.hidden_overlap import hidden_overlap
from lrx.responses.measurement import Measurement
from lrx.responses.sparse_draws import VALUES, draws_of, num_draws
from lrx.responses.sparse_response import ERRORS, STATISTICS, feature_response
from lrx.responses.work_units import Values, WorkUnit

BLOCK = 64  # features of a work unit, at most
MOST_PAIRS = 1024  # of hidden overlap that are stored; each feature's number counts all
PER_DRAW = {  # unit and description of STATISTICS
    "num_draws": ("1", "draws of the feature; 0 where the data has no vectors for one"),
    "step": ("latent", "root mean square of the change that was set"),
    "gain": ("1", "change of the feature's own response, over the change that was set"),
    "obeyed": ("1", "share of draws in which the feature follows, by more than half of the change that was set"),
    "selectivity": ("1", "share of the squared change of all responses that is the feature's own"),
    "switched_on": ("1", "other features that go from 0 to active, mean number"),
    "switched_off": ("1", "other features that go from active to 0, mean number"),
}


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of the responses of a sparse code."""

    values: str = setting(
        "other", "other: active, gets its activation on another vector | ablate: 0 | insert: its median", choices=VALUES
    )
    num_samples: int = setting(32, "draws of a feature, at most", at_least=2)
    num_vectors: int = setting(4096, "vectors that are encoded, from which draws come", at_least=2)
    num_features: int | None = setting(None, "random features to measure; null: all, or those of features", at_least=1)
    features: list[int] | None = setting(None, "features to measure, such as [0,3]; null: all")
    most_responding: int = setting(32, "responding features that a row keeps, those that respond most", at_least=1)
    overlap_cosine: float = setting(0.3, "cosine of decoder directions that overlap, at least", positive=True)
    overlap_response: float = setting(0.05, "response, relative to the own one, of hidden overlap, at most", at_least=0)

    def check(self) -> None:
        """Check that features are given once."""
        if self.features is not None and self.num_features is not None:
            raise SettingError("num_features draws them at random; give features or num_features, not both")


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Measure the response of a sparse code to each of its features.

    Arrays: STATISTICS with standard errors over draws (F,); rows `start` (F + 1), `responding`, `value`, `value_se`
    (R,); hidden_overlap (F,) and its pairs. Scores: their means over features, with errors over features, and of the
    code: num_active features a vector, explained variance, num_dead features.
    ValueError for data on which no feature is active.
    """
    assert isinstance(m.autoencoder, SparseCode)
    features_F = _features(settings, m)
    active = active_features(m.autoencoder, m.dataset, m.generator, num_vectors=settings.num_vectors)
    if settings.num_features is not None:
        order = torch.randperm(m.num_latents, generator=m.generator)[: settings.num_features]
        features_F = order.sort().values
    counts_D = num_draws(active, values=settings.values, num_samples=settings.num_samples)
    if not counts_D.any():
        raise ValueError(
            f"no feature is active on enough of {len(active.decoded_NP)} vectors of {m.dataset.name}; are they the "
            "activations that the model was trained on? dataset.path= and assay.num_vectors= give others"
        )
    total = int(counts_D[features_F].sum()) + len(features_F)
    parts = m.share.values(
        _units(m.autoencoder, m, settings, active, features_F=features_F, counts_D=counts_D),
        total=total,
        progress=lambda done: m.progress(done, total),
    )
    columns = zip(*(values for _, values in parts), strict=True)
    joined = [torch.cat(column).numpy() for column in columns]
    return AssayResult(
        arrays=_arrays(joined, settings),
        coordinates={"feature": features_F.numpy()},
        scores=_scores(joined, active),
        settings=stored(settings, num_vectors=len(active.decoded_NP), num_features=len(features_F)),
    )


def _features(settings: Settings, m: Measurement) -> Tensor:
    """Return the features to measure, int64 (F,). SettingError for those that are not there, or given twice."""
    if settings.features is None:
        return torch.arange(m.num_latents)
    wrong = [feature for feature in settings.features if not 0 <= feature < m.num_latents]
    if wrong or not settings.features or len(set(settings.features)) < len(settings.features):
        raise SettingError(f"features must be some of 0 to {m.num_latents - 1}, each once, not {settings.features[:8]}")
    return torch.tensor(settings.features)


def _units(
    autoencoder: SparseCode,
    m: Measurement,
    settings: Settings,
    active: ActiveFeatures,
    *,
    features_F: Tensor,
    counts_D: Tensor,
) -> Iterator[WorkUnit]:
    """Yield blocks of features with their draws."""
    own_D = autoencoder.own_gains()
    for start in range(0, len(features_F), min(BLOCK, rows_at_once(m.num_latents))):
        features_B = features_F[start : start + min(BLOCK, rows_at_once(m.num_latents))]
        drawn = [
            draws_of(active, feature, int(counts_D[feature]), values=settings.values, generator=m.generator)
            for feature in features_B.tolist()
        ]

        def evaluate(features_B: Tensor = features_B, drawn: list[tuple[Tensor, Tensor]] = drawn) -> Values:
            return block_of_features(autoencoder, settings, active, features_B=features_B, drawn=drawn, own_D=own_D)

        yield WorkUnit((start,), int(counts_D[features_B].sum()) + len(features_B), evaluate)


def block_of_features(
    autoencoder: SparseCode,
    settings: Settings,
    active: ActiveFeatures,
    *,
    features_B: Tensor,
    drawn: list[tuple[Tensor, Tensor]],
    own_D: Tensor,
) -> Values:
    """Return of a block of features: statistics (B, S), lengths of rows (B,), their entries, overlaps (B,), pairs."""
    at_B = features_B.to(own_D.device)
    with torch.inference_mode():
        g_BD = autoencoder.rows_of_g(autoencoder.decoder_DP[at_B])
        overlaps_B, pairs = hidden_overlap(
            autoencoder.decoder_DP,
            own_D,
            features_B=at_B,
            g_BD=g_BD,
            cosine=settings.overlap_cosine,
            response=settings.overlap_response,
        )
    responses = [
        feature_response(autoencoder, active, feature, draws=draws, g_D=g_D, most=settings.most_responding)
        for feature, draws, g_D in zip(features_B.tolist(), drawn, g_BD, strict=True)
    ]
    rows = (
        np.concatenate([getattr(response, name) for response in responses])
        for name in ("responding_K", "value_K", "value_se_K")
    )
    return (
        torch.from_numpy(np.stack([response.statistics for response in responses])),
        torch.tensor([len(response.responding_K) for response in responses]),
        *map(torch.from_numpy, rows),
        overlaps_B.cpu(),
        *(part[:MOST_PAIRS].cpu() for part in pairs),
    )


def _arrays(joined: list[np.ndarray], settings: Settings) -> dict[str, Array]:
    statistics, lengths, responding, value, value_se, overlaps, pairs, cosines, relative = joined
    arrays: dict[str, Array] = {}
    for place, name in enumerate(STATISTICS):
        unit, description = PER_DRAW[name]
        column = statistics[:, place].astype(np.int64 if name == "num_draws" else np.float64)
        arrays[name] = Array(column, ("feature",), unit, description)
        if f"{name}_se" in ERRORS:
            errors = statistics[:, len(STATISTICS) + ERRORS.index(f"{name}_se")]
            arrays[f"{name}_se"] = Array(errors, ("feature",), unit, f"standard error of {name}")
    start = np.concatenate([[0], np.cumsum(lengths)])
    row = f"of the {settings.most_responding} that respond most, by falling response"
    order = np.argsort(-cosines, kind="stable")[:MOST_PAIRS]
    overlap = "features whose direction overlaps with the feature's, and which do not respond to it"
    return arrays | {
        "start": Array(start, ("boundary",), "1", "entry at which the row of each feature begins; last, the end"),
        "responding": Array(responding, ("entry",), "1", f"feature that responds, {row}"),
        "value": Array(value, ("entry",), "latent", "root mean square of the change of its response"),
        "value_se": Array(value_se, ("entry",), "latent", "standard error of value"),
        "hidden_overlap": Array(overlaps, ("feature",), "1", overlap),
        "overlap_pair": Array(pairs[order], ("pair", "side"), "1", "feature, and the one that does not respond to it"),
        "overlap_cosine": Array(cosines[order], ("pair",), "1", "cosine of their decoder directions"),
        "overlap_response": Array(relative[order], ("pair",), "1", "response, relative to the second's own gain"),
    }


def _scores(joined: list[np.ndarray], active: ActiveFeatures) -> dict[str, float]:
    statistics, overlaps = joined[0], joined[5]
    scores: dict[str, float] = {}
    for place, name in enumerate(STATISTICS):
        if f"{name}_se" in ERRORS:
            mean, se = mean_and_se(statistics[:, place])
            scores |= {f"mean_{name}": float(mean), f"mean_{name}_se": float(se)}
    mean, se = mean_and_se(active.num_active_N.cpu())
    scores |= {"num_active": float(mean), "num_active_se": float(se)}
    spread, unexplained = active.spread_N.cpu().numpy(), active.unexplained_N.cpu().numpy()
    ratio = unexplained.sum() / spread.sum() if spread.any() else np.nan
    influence = (unexplained - ratio * spread) / spread.mean() if spread.any() else spread * np.nan
    scores |= {"explained": float(1 - ratio), "explained_se": float(mean_and_se(influence)[1])}
    never_active = float((active.starts_D1.diff() == 0).sum())
    return scores | {
        "num_measured": float((statistics[:, 0] > 0).sum()),
        "num_never_active": never_active,
        "num_hidden_overlap": float((overlaps > 0).sum()),
    }

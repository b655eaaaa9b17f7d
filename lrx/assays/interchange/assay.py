"""Interchange interventions: latents that a factor names are taken from another image, and all factors read again.

Two images i and i' give codes z and z'. For a factor f with the latents L_f, x = decode(z with L_f from z') is read by
a classifier of factors. Cause: x shows the class of i' in f, among pairs that differ in f. Isolation: x shows the class
of i in another factor g, among pairs that differ in g. The image form of RAVEL (Huang et al. 2024, arXiv 2402.17700).
L_f are the latents with a conditioned response to f of at least a share of the largest
(`lrx.assays.factor_inference`), or those given; of codes (channel, y, x) they are channels. F varying factors, P pairs,
D latents.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrx.assays.interchange.reader import Reader, reader_of
from lrx.core.factors import FactorSpace
from lrx.core.settings import AssaySettings, setting, stored
from lrx.core.types import Array, AssayResult, with_factors
from lrx.core.validation import SettingError, is_whole
from lrx.responses.conditioned import conditioned_responses, named, num_responses, varying_factors
from lrx.responses.encoding import encode_images, eval_mode, image_order, num_drawn
from lrx.responses.latent_response import intervene
from lrx.responses.measurement import Measurement
from lrx.sample_quality.factor_probe import check_probe_settings


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of interchange interventions."""

    num_pairs: int = setting(512, "pairs of different images; at most half of the images", at_least=2)
    latents: dict[str, list[int]] | None = setting(
        None, "latents of some factors, such as {shape: [0, 3]}; null, and others: by responses"
    )
    threshold: float = setting(0.5, "a factor names latents from this share of its largest conditioned response")
    num_groups: int = setting(16, "groups of the conditioned response, for each factor", at_least=1)
    max_pairs: int = setting(32, "ordered pairs for each group and latent", at_least=2)
    probe_steps: int = setting(1000, "training steps of the network that reads factors from images", at_least=1)
    cache: str | None = setting(
        None,
        "a folder that keeps that network, trained once a data set; null: none",
        in_yaml="${oc.env:LRX_DATA,data}/probes",
    )
    batch_size: int | None = setting(None, "latents per forward pass; null: what fits the memory", at_least=1)

    def check(self) -> None:
        """Check the share, and the settings of the probe network."""
        if not 0 < self.threshold <= 1:
            raise SettingError(f"threshold must be a number above 0 and up to 1, not {self.threshold!r}")
        check_probe_settings(self.probe_steps, self.cache)


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Measure cause and isolation of each factor (F,), and their means, with standard errors over pairs.

    Arrays: cause, isolation, their ceilings (all latents exchanged, none exchanged), errors of each (F,), named (F, D),
    num_pairs (F,), the pairs that differ in a factor. Scores are means over the factors that have latents.
    A factor to which no latent responds has none, and NaN; the setting `remark` names it.
    ValueError without two factors that vary, or with fewer than 4 images; SettingError for latents that there are not.
    """
    factors, varying = varying_factors(m.dataset, "assay=interchange")
    if len(varying) < 2:
        raise ValueError(f"assay=interchange compares factors, and one of {m.dataset.name} varies")
    pairs = min(settings.num_pairs, num_drawn(m.dataset) // 2)
    if pairs < 2:
        raise ValueError(f"assay=interchange needs 4 images or more, and {m.dataset.name} has {num_drawn(m.dataset)}")
    names = [factors.names[factor] for factor in varying]
    named_FD, responses = _named(m, factors, varying, settings)
    indices_2P = image_order(m.dataset, m.generator)[: 2 * pairs].view(2, pairs)
    read, reader = reader_of(
        m,
        with_factors(m.dataset, "assay=interchange"),
        varying,
        steps=settings.probe_steps,
        cache=settings.cache,
        progress=lambda steps: m.progress(responses + steps, responses + settings.probe_steps),
    )
    classes_2PF = torch.stack([factors.classes(indices)[:, varying] for indices in indices_2P])
    z_2PD = [encode_images(m.autoencoder, m.dataset, indices, batch_size=m.batch_size) for indices in indices_2P]
    none, everything = torch.zeros(len(m.units), dtype=torch.bool), torch.ones(len(m.units), dtype=torch.bool)
    exchanged = [units_U[m.units.unit_D] for units_U in (*named_FD, everything, none)]  # a channel has many latents
    shown = [_read(m, read, z_2PD[0], z_2PD[1], latents_D) for latents_D in exchanged]
    differ_PF = classes_2PF[0] != classes_2PF[1]
    has_latents = named_FD.any(1)

    ratios: dict[str, list[Ratio]] = {"cause": [], "isolation": [], "ceiling_cause": [], "ceiling_isolation": []}
    for f in range(len(varying)):
        others = [g for g in range(len(varying)) if g != f]
        became_P, became_all_P = (shown[k][:, f] == classes_2PF[1, :, f] for k in (f, -2))
        stayed_PG, stayed_none_PG = ((shown[k] == classes_2PF[0])[:, others] for k in (f, -1))
        ratios["cause"].append(Ratio(became_P & differ_PF[:, f], differ_PF[:, f]))
        ratios["ceiling_cause"].append(Ratio(became_all_P & differ_PF[:, f], differ_PF[:, f]))
        ratios["isolation"].append(Ratio(stayed_PG & differ_PF[:, others], differ_PF[:, others]))
        ratios["ceiling_isolation"].append(Ratio(stayed_none_PG & differ_PF[:, others], differ_PF[:, others]))
    return AssayResult(
        arrays={**_arrays(ratios, has_latents), **_about(named_FD, differ_PF)},
        coordinates={"factor": np.array(names), "latent": m.units.labels},
        scores={**_scores(ratios, has_latents), "num_named": float(named_FD.sum(1).double().mean())},
        settings=stored(
            settings, num_pairs=pairs, batch_size=m.batch_size, reader=reader, remark=_remark(names, has_latents)
        ),
    )


class Ratio:
    """Share of what counts that is so, over P pairs: the ratio of two sums, and what each pair adds to its error."""

    def __init__(self, is_so: Tensor, counts: Tensor) -> None:
        """Take bool tensors (P,) or (P, G)."""
        so_P, counts_P = (part.double().reshape(len(part), -1).sum(1) for part in (is_so, counts))
        self.value = float(so_P.sum() / counts_P.sum()) if counts_P.any() else math.nan
        self.influence_P = (so_P - self.value * counts_P) / counts_P.mean()

    @property
    def se(self) -> float:
        """Standard error, by the delta method."""
        return standard_error(self.influence_P)


def standard_error(influence_P: Tensor) -> float:
    """Return the standard error of an estimate whose linear part is the mean of independent influences (P,)."""
    return float(influence_P.std() / math.sqrt(len(influence_P)))


def _named(m: Measurement, factors: FactorSpace, varying: Sequence[int], settings: Settings) -> tuple[Tensor, int]:
    """Return the latents of each varying factor, bool (F, D): those given, others by conditioned responses; and the
    number of responses that were computed."""
    names = [factors.names[factor] for factor in varying]
    by_hand = settings.latents or {}
    unknown = [name for name in by_hand if name not in names]
    if unknown:
        raise SettingError(f"latents must name factors of {', '.join(names)}, not {unknown[0]}")
    limits = {"num_groups": settings.num_groups, "max_pairs": settings.max_pairs}
    rows, measured = [], [factor for factor in varying if factors.names[factor] not in by_hand]
    counts = {factor: num_responses(factors, factor, len(m.units), **limits) for factor in measured}
    done = 0
    for factor in varying:
        given = by_hand.get(factors.names[factor])
        if given is not None:
            rows.append(_given(given, factors.names[factor], len(m.units)))
            continue
        groups = conditioned_responses(m, factor, **limits)
        rows.append(named(groups.rms()[0].mean(0)[None], settings.threshold)[0])
        done += counts[factor]
        m.progress(done, sum(counts.values()) + settings.probe_steps)
    return torch.stack(rows), done


def _given(latents: Sequence[int], name: str, count: int) -> Tensor:
    wrong = [latent for latent in latents if not is_whole(latent, 0) or latent >= count]
    if wrong:
        raise SettingError(f"latents of {name} must be of 0 to {count - 1}, not {wrong[0]}")
    row_D = torch.zeros(count, dtype=torch.bool)
    row_D[list(latents)] = True
    return row_D


def _read(m: Measurement, read: Reader, z_PD: Tensor, other_PD: Tensor, latents_D: Tensor) -> Tensor:
    """Return the classes int64 (P, F) read after the latents bool (D,) are taken from other codes."""
    taken = latents_D.nonzero()[:, 0]
    set_PD = intervene(z_PD, taken, other_PD[:, taken])
    with eval_mode(m.autoencoder):
        return torch.cat([read(m.autoencoder.decode(z_BD)) for z_BD in torch.split(set_PD, m.batch_size)])


def _arrays(ratios: Mapping[str, Sequence[Ratio]], has_latents: Tensor) -> dict[str, Array]:
    meanings = {
        "cause": "share of pairs that differ in the factor whose exchanged image shows the other's class",
        "isolation": "share of other factors, where pairs differ in them, that stay as they were",
        "ceiling_cause": "cause where all latents are exchanged",
        "ceiling_isolation": "isolation where none is exchanged",
    }
    arrays = {}
    for name, of_factors in ratios.items():
        pairs = np.array([(ratio.value, ratio.se) for ratio in of_factors])
        if not name.startswith("ceiling"):
            pairs[~has_latents.numpy()] = math.nan
        arrays[name] = Array(pairs[:, 0], ("factor",), "1", meanings[name])
        arrays[f"{name}_se"] = Array(pairs[:, 1], ("factor",), "1", "its standard error over pairs")
    return arrays


def _about(named_FD: Tensor, differ_PF: Tensor) -> dict[str, Array]:
    counts = differ_PF.sum(0).numpy()
    return {
        "named": Array(named_FD.numpy().astype(np.uint8), ("factor", "latent"), "1", "1 where a latent is exchanged"),
        "num_pairs": Array(counts, ("factor",), "1", "pairs that differ in the factor"),
    }


def _scores(ratios: Mapping[str, Sequence[Ratio]], has_latents: Tensor) -> dict[str, float]:
    """Return means over the factors with latents, with errors: all factors share the pairs."""
    chosen = has_latents.nonzero()[:, 0].tolist()
    if not chosen:
        scores = (*(f"mean_{name}" for name in ratios), "balance")
        return {name: math.nan for score in scores for name in (score, f"{score}_se")}
    values = {f"mean_{name}": float(np.mean([part[f].value for f in chosen])) for name, part in ratios.items()}
    influence = {
        f"mean_{name}": torch.stack([part[f].influence_P for f in chosen]).mean(0) for name, part in ratios.items()
    }
    values["balance"] = (values["mean_cause"] + values["mean_isolation"]) / 2
    influence["balance"] = (influence["mean_cause"] + influence["mean_isolation"]) / 2
    return values | {f"{name}_se": standard_error(influence[name]) for name in values}


def _remark(names: Sequence[str], has_latents: Tensor) -> str | None:
    without = [name for name, has in zip(names, has_latents.tolist(), strict=True) if not has]
    return f"no latent responds to {', '.join(without)}: nothing to exchange" if without else None

"""Factor inference: accuracy of reading a factor from few labels and the latents that the factor names.

Factor c names latent j when C_cj is at least a share of the largest C_cj' of the factor, C the conditioned response of
`lrx.responses.conditioned` (mean over groups of the root mean square). A probe, multinomial logistic regression on
standardised codes, learns the factor from those latents only, from all, and from equally many random ones. Of codes
(channel, y, x) a factor names channels, and the probe has all their places.
Source: Leeb et al. 2022 (arXiv 2106.16091), section 4. F varying factors, D latents, L numbers of labels, R repeats.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from lrx.core.factors import FactorSpace
from lrx.core.progress import passes_shown, step_of
from lrx.core.settings import AssaySettings, Stored, setting, stored
from lrx.core.statistics import mean_and_se
from lrx.core.types import Array, AssayResult, Dataset
from lrx.core.validation import SettingError, is_number, is_whole
from lrx.responses.conditioned import conditioned_responses, named, num_responses, varying_factors
from lrx.responses.encoding import encode_images, image_order, num_drawn
from lrx.responses.measurement import Measurement

LATENTS = ("named", "all", "random")
PENALTY = 1e-2  # of the probe: half the squared weights of standardised codes, relative to the summed log loss
ITERATIONS = 200  # of the probe's solver, at most


@dataclass(frozen=True, kw_only=True)
class Settings(AssaySettings):
    """Settings of factor inference."""

    labels: list[int] = setting([100, 1000, 10000], "labelled images that a probe learns from; at most what there are")
    num_test: int = setting(2000, "held-out images of a repeat, at most a third of the data set", at_least=1)
    repeats: int = setting(3, "repeats, each with other images and other random latents", at_least=1)
    threshold: float = setting(0.5, "a factor names latents from this share of its largest conditioned response")
    num_groups: int = setting(16, "groups of the conditioned response, for each factor", at_least=1)
    max_pairs: int = setting(32, "ordered pairs for each group and latent", at_least=2)
    batch_size: int | None = setting(None, "images per forward pass; null: what fits the memory", at_least=1)

    def check(self) -> None:
        """Check the numbers of labels and the share."""
        labels: object = self.labels
        if not isinstance(labels, list | tuple) or not labels or not all(is_whole(count, 2) for count in labels):
            raise SettingError(f"labels must be whole numbers of at least 2, as in [100, 1000], not {labels!r}")
        if not is_number(self.threshold) or not 0 < self.threshold <= 1:
            raise SettingError(f"threshold must be a number above 0 and up to 1, not {self.threshold!r}")


def measure(m: Measurement, settings: Settings) -> AssayResult:
    """Measure accuracies (F, 3, L) of probes on held-out images, means over repeats with their standard errors.

    Numbers of labels that the data set cannot give beside the test images become the largest that it can. Smaller sets
    are parts of larger ones. Where the data set is too small for repeats that share no image (the setting `disjoint` is
    false), standard errors are s sqrt(1 / R + test images / labels), not s / sqrt(R) (Nadeau & Bengio 2003).

    Scores: means over factors, such as `accuracy_named_100`, of factors that name a latent; `num_named`, latents that a
    factor names. A factor without any response names none: its accuracies on `named` and `random` are NaN.
    The probe is linear in the codes: it reads what is ordered along latents, not what is periodic.
    ValueError without factors that vary, or with fewer than 4 images.
    """
    factors, varying = varying_factors(m.dataset, "assay=factor_inference")
    available = num_drawn(m.dataset)
    if available < 4:
        raise ValueError(f"assay=factor_inference needs 4 images or more, and {m.dataset.name} has {available}")
    num_test = min(settings.num_test, available // 3)
    counts = sorted({min(count, available - num_test) for count in settings.labels})
    total = len(varying) * (1 + settings.repeats * len(counts) * len(LATENTS))

    images, disjoint = _images(m.dataset, counts[-1] + num_test, settings.repeats, m.generator)
    response_FD, response_se_FD = _responses(m, factors, varying, settings, total)
    named_FD = named(response_FD, settings.threshold)
    accuracies, step = [], _steps(m, len(varying), total)
    for indices_N in images:
        classes_NF = factors.classes(indices_N)[:, varying]
        accuracies.append(_accuracies(m, indices_N, classes_NF, named_FD, (counts, num_test), step))
    return _result(
        np.stack(accuracies),
        {"response": response_FD, "response_se": response_se_FD, "named": named_FD},
        factors,
        varying,
        counts,
        stored(
            settings,
            num_test=num_test,
            disjoint=disjoint,
            batch_size=m.batch_size,
            probe=f"logistic regression, penalty {PENALTY:g}, at most {ITERATIONS} iterations",
        ),
    )


def probe_accuracy(codes_NK: np.ndarray, classes_N: np.ndarray, count: int, num_test: int) -> float:
    """Return the accuracy on the last `num_test` points of a probe that learned from the first `count`."""
    training_NK, test_NK = codes_NK[:count], codes_NK[len(codes_NK) - num_test :]
    std_K = training_NK.std(0)
    mean_K, scale_K = training_NK.mean(0), np.where(std_K > 0, std_K, 1.0)
    truth_N = classes_N[len(classes_N) - num_test :]
    if len(np.unique(classes_N[:count])) == 1:
        return float((truth_N == classes_N[0]).mean())
    probe = LogisticRegression(C=1 / PENALTY, max_iter=ITERATIONS, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # where classes separate, weights grow without bound
        # a hundred labels of a factor of sixty values: few for each is the question here, and they are no regression
        warnings.filterwarnings("ignore", "The number of unique classes is greater", UserWarning)
        probe.fit((training_NK - mean_K) / scale_K, classes_N[:count])
    return float((probe.predict((test_NK - mean_K) / scale_K) == truth_N).mean())


def _steps(m: Measurement, done: int, total: int) -> Callable[[], None]:
    """Return a function that reports one more step of the total, after those that are done."""
    steps = iter(range(done, total))
    return lambda: step_of(m.progress, next(steps), total)(1, 1)


def _images(dataset: Dataset, each: int, repeats: int, generator: torch.Generator) -> tuple[list[Tensor], bool]:
    """Draw indices int64 (each,) of the images of every repeat; return also whether no two repeats share one."""
    order = image_order(dataset, generator)
    total = len(order)
    if each * repeats <= total:
        return [*torch.split(order[: each * repeats], each)], True
    return [order[torch.randperm(total, generator=generator)[:each]] for _ in range(repeats)], repeats == 1


def _responses(
    m: Measurement, factors: FactorSpace, varying: Sequence[int], settings: Settings, total: int
) -> tuple[Tensor, Tensor]:
    """Measure the conditioned responses (F, D) of the factors, and their standard errors over groups (F, D)."""
    rows, errors = [], []
    limits = {"num_groups": settings.num_groups, "max_pairs": settings.max_pairs}
    for number, factor in enumerate(varying):
        expected = num_responses(factors, factor, len(m.units), **limits)
        with passes_shown(step_of(m.progress, number, total), expected):
            groups = conditioned_responses(m, factor, **limits)
        root_GD, variance_GD = groups.rms()
        rows.append(root_GD.mean(0))
        # of a single group, the error over its pairs
        errors.append(variance_GD[0].sqrt() if len(root_GD) == 1 else torch.from_numpy(mean_and_se(root_GD)[1]))
    return torch.stack(rows), torch.stack(errors)


def _accuracies(
    m: Measurement,
    indices_N: Tensor,
    classes_NF: Tensor,
    named_FD: Tensor,
    sizes: tuple[list[int], int],
    step: Callable[[], None],
) -> np.ndarray:
    """Accuracies (F, 3, L) of one repeat on images with these classes; sizes: numbers of labels, and of test images."""
    counts, num_test = sizes
    codes_ND = encode_images(m.autoencoder, m.dataset, indices_N, batch_size=m.batch_size).double().cpu()
    accuracy = np.full((len(named_FD), len(LATENTS), len(counts)), np.nan)
    for row in range(len(named_FD)):
        order = torch.randperm(len(m.units), generator=m.generator)
        chosen = {"named": named_FD[row].nonzero()[:, 0], "random": order[: int(named_FD[row].sum())]}
        subsets = {"all": torch.arange(m.num_latents)}
        for kind, units in chosen.items():  # a channel of a map has many latents
            members = [m.units.members[unit] for unit in units.tolist()]
            subsets[kind] = torch.cat(members) if members else units
        for place, kind in enumerate(LATENTS):
            for column, count in enumerate(counts):
                if len(subsets[kind]):
                    accuracy[row, place, column] = probe_accuracy(
                        codes_ND[:, subsets[kind]].numpy(), classes_NF[:, row].numpy(), count, num_test
                    )
                step()
    return accuracy


def _result(
    accuracies: np.ndarray,
    measures: dict[str, Tensor],
    factors: FactorSpace,
    varying: Sequence[int],
    counts: list[int],
    settings: dict[str, Stored],
) -> AssayResult:
    """Result of accuracies (R, F, 3, L); measures: response, response_se and named, each (F, D)."""
    num_test = int(settings["num_test"] or 0)
    overlap_L = np.array([0.0 if settings["disjoint"] else num_test / count for count in counts])
    mean, se = mean_and_se_of_repeats(accuracies, overlap_L)
    chance = np.array([1 / factors.sizes[factor] for factor in varying])
    axes, of_latents = ("factor", "latents", "labels"), ("factor", "latent")
    response, response_se, named_FD = (measures[name].numpy() for name in ("response", "response_se", "named"))
    return AssayResult(
        arrays={
            "accuracy": Array(mean, axes, "1", "accuracy on held-out images, mean over repeats"),
            "accuracy_se": Array(se, axes, "1", "standard error of accuracy over repeats; NaN of a single one"),
            "response": Array(response, of_latents, "latent", "conditioned response"),
            "response_se": Array(response_se, of_latents, "latent", "standard error of response, over groups"),
            "named": Array(named_FD.astype(np.uint8), of_latents, "1", "1 where the factor names it"),
            "chance": Array(chance, ("factor",), "1", "accuracy of guessing: classes are equally frequent"),
        },
        coordinates={
            "factor": np.array([factors.names[factor] for factor in varying]),
            "latents": np.array(LATENTS),
            "labels": np.array(counts),
        },
        scores=_mean_accuracies(accuracies, np.asarray(named_FD.any(1)), dict(zip(counts, overlap_L, strict=True)))
        | {"num_named": float(named_FD.sum(1).mean())},
        settings=settings,
    )


def _mean_accuracies(
    accuracies: np.ndarray, names_any_F: np.ndarray, overlap_by_count: dict[int, float]
) -> dict[str, float]:
    """Means of accuracies (R, F, 3, L) over the factors that name a latent, with standard errors over repeats."""
    scores: dict[str, float] = {}
    for place, kind in enumerate(LATENTS):
        for column, (count, overlap) in enumerate(overlap_by_count.items()):
            accuracy_RF = accuracies[:, names_any_F, place, column]
            accuracy_R = accuracy_RF.mean(1) if names_any_F.any() else np.full(len(accuracies), np.nan)
            mean, se = mean_and_se_of_repeats(accuracy_R, overlap)
            scores[f"accuracy_{kind}_{count}"], scores[f"accuracy_{kind}_{count}_se"] = float(mean), float(se)
    return scores


def mean_and_se_of_repeats(values: np.ndarray, overlap: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means over the first axis, of R repeats, and their standard errors; NaN for a single repeat.

    overlap: 0 for repeats that share no image, else test images over labels (Nadeau & Bengio 2003, section 3).
    """
    mean, se = mean_and_se(values)
    return mean, np.asarray(se * np.sqrt(1 + len(values) * np.asarray(overlap)))

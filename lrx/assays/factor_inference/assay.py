"""Factor inference: how well few labels read a factor from the latents that its conditioned response names.

Latent j is named by factor c when C_cj is at least a share of the largest C_cj' of the factor, C the conditioned
response of `lrx.responses.conditioned` (mean over groups of the root mean square). A probe, multinomial logistic
regression on standardised codes, learns the factor from those latents alone, from all, and from as many random ones.
Source: Leeb et al. 2022 (arXiv 2106.16091), section 4. F varying factors, D latents, L numbers of labels, R repeats.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from lrx.core.types import Array, AssayResult, Autoencoder, Dataset, with_factors
from lrx.core.validation import SettingError, check_batch_size, check_whole, is_number, is_whole
from lrx.responses.conditioned import conditioned_responses
from lrx.responses.encoding import encode_images, fitting_batch_size, image_order, num_drawn

LATENTS = ("named", "all", "random")
PENALTY = 1e-2  # of the probe: half the squared weights of standardised codes, against the summed log loss
ITERATIONS = 200  # of the probe's solver, at most


def factor_inference(
    autoencoder: Autoencoder,
    dataset: Dataset,
    generator: torch.Generator,
    *,
    labels: Sequence[int],
    num_test: int,
    repeats: int,
    threshold: float,
    num_groups: int,
    max_pairs: int,
    batch_size: int | None,
    progress: Callable[[int, int], None] | None = None,
) -> AssayResult:
    """Accuracies (F, 3, L) of probes on held-out images, means over repeats with their standard errors.

    labels: how many labelled images a probe learns from; what the data set cannot give beside the test images becomes
    the most that it can. Smaller sets are parts of larger ones.
    num_test: held-out images of a repeat, at most a third of the data set.
    repeats: each with other images, and other random latents. Where the data set is too small for images that no two
    repeats share (the setting `disjoint` is false), standard errors are too small.
    threshold: the share of a factor's largest conditioned response from which a latent is named.
    num_groups, max_pairs: of the conditioned response, for each factor, see `lrx.responses.conditioned`.
    progress: called with probes and factors done, and all that there are.

    Scores: means over factors `accuracy_named_100`, of factors that name a latent, and `num_named`, latents a factor.
    A factor to which no latent responds names none: its accuracies on `named` and `random` are NaN.
    The probe is linear in the codes: it reads what is ordered along latents, not what goes round in circles.
    ValueError without factors that vary, for a setting out of range, or fewer than 4 images.
    """
    labels = _checked(labels, num_test, repeats, threshold, num_groups, max_pairs, batch_size)
    dataset = with_factors(dataset, "assay=factor_inference")
    factors = dataset.factors
    varying = [factor for factor, size in enumerate(factors.sizes) if size > 1]
    if not varying:
        raise ValueError(f"assay=factor_inference needs a factor of two values or more, {dataset.name} has none")
    available = num_drawn(dataset)
    if available < 4:
        raise ValueError(f"assay=factor_inference needs 4 images or more, and {dataset.name} has {available}")
    batch_size = batch_size or fitting_batch_size(dataset.observation_shape)
    tested = min(num_test, available // 3)
    counts = sorted({min(count, available - tested) for count in labels})
    work, done = len(varying) * (1 + repeats * len(counts) * len(LATENTS)), 0

    def report() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, work)

    images, disjoint = _images(dataset, counts[-1] + tested, repeats, generator)
    rows, errors = [], []
    for factor in varying:
        found = conditioned_responses(
            autoencoder,
            dataset,
            factor,
            num_groups=num_groups,
            max_pairs=max_pairs,
            generator=generator,
            batch_size=batch_size,
        )
        root_GD, variance_GD = found.rms()
        rows.append(root_GD.mean(0))
        errors.append(_error(root_GD, variance_GD))
        report()
    response_FD = torch.stack(rows)
    named_FD = named(response_FD, threshold)

    accuracies = np.full((repeats, len(varying), len(LATENTS), len(counts)), np.nan)
    for repeat, indices in enumerate(images):
        codes_ND = encode_images(autoencoder, dataset, indices, batch_size=batch_size).double().cpu()
        classes_NF = factors.classes(indices)
        for row, factor in enumerate(varying):
            order = torch.randperm(codes_ND.shape[1], generator=generator)
            subsets = {
                "named": named_FD[row].nonzero()[:, 0],
                "all": torch.arange(codes_ND.shape[1]),
                "random": order[: int(named_FD[row].sum())],
            }
            for place, kind in enumerate(LATENTS):
                for column, count in enumerate(counts):
                    if len(subsets[kind]):
                        accuracies[repeat, row, place, column] = probed(
                            codes_ND[:, subsets[kind]].numpy(), classes_NF[:, factor].numpy(), count, tested
                        )
                    report()
    return _named_result(
        accuracies,
        response_FD,
        torch.stack(errors),
        named_FD,
        names=[factors.names[factor] for factor in varying],
        chance=[1 / factors.sizes[factor] for factor in varying],
        counts=counts,
        settings={
            "labels": ", ".join(str(count) for count in labels),
            "num_test": tested,
            "repeats": repeats,
            "disjoint": disjoint,
            "threshold": threshold,
            "num_groups": num_groups,
            "max_pairs": max_pairs,
            "batch_size": batch_size,
            "probe": f"logistic regression, penalty {PENALTY:g}, at most {ITERATIONS} iterations",
        },
    )


def named(response_FD: Tensor, threshold: float) -> Tensor:
    """The latents that each factor names, bool (F, D): responses of at least `threshold` times the factor's largest."""
    largest_F1 = response_FD.amax(1, keepdim=True)
    return (response_FD >= threshold * largest_F1) & (largest_F1 > 0)


def probed(codes_NK: np.ndarray, classes_N: np.ndarray, count: int, tested: int) -> float:
    """The accuracy on the last `tested` points of a probe that learned from the first `count`."""
    learned, judged = codes_NK[:count], codes_NK[len(codes_NK) - tested :]
    std_K = learned.std(0)
    mean_K, scale_K = learned.mean(0), np.where(std_K > 0, std_K, 1.0)
    truth_N = classes_N[len(classes_N) - tested :]
    if len(np.unique(classes_N[:count])) == 1:
        return float((truth_N == classes_N[0]).mean())
    probe = LogisticRegression(C=1 / PENALTY, max_iter=ITERATIONS, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # where classes separate, weights grow without an end
        # a hundred labels of a factor of sixty values: few for each is what is asked here, and they are no regression
        warnings.filterwarnings("ignore", "The number of unique classes is greater", UserWarning)
        probe.fit((learned - mean_K) / scale_K, classes_N[:count])
    return float((probe.predict((judged - mean_K) / scale_K) == truth_N).mean())


def _images(dataset: Dataset, each: int, repeats: int, generator: torch.Generator) -> tuple[list[Tensor], bool]:
    """Indices int64 (each,) of the images of every repeat, and whether no two repeats share one."""
    order = image_order(dataset, generator)
    total = len(order)
    if each * repeats <= total:
        return [*torch.split(order[: each * repeats], each)], True
    return [order[torch.randperm(total, generator=generator)[:each]] for _ in range(repeats)], repeats == 1


def _error(root_GD: Tensor, variance_GD: Tensor) -> Tensor:
    """The standard error of the mean over groups (D,): their spread; of a single group, that over its pairs."""
    if len(root_GD) == 1:
        return variance_GD[0].sqrt()
    return root_GD.std(0) / math.sqrt(len(root_GD))


def _named_result(
    accuracies: np.ndarray,
    response_FD: Tensor,
    response_se_FD: Tensor,
    named_FD: Tensor,
    *,
    names: list[str],
    chance: list[float],
    counts: list[int],
    settings: dict[str, str | int | float | bool | None],
) -> AssayResult:
    """Arrays and scores of accuracies (R, F, 3, L)."""
    mean, se = _mean_and_error(accuracies)
    axes = ("factor", "latents", "labels")
    scores: dict[str, float] = {}
    counted = named_FD.any(1).numpy()
    for place, kind in enumerate(LATENTS):
        for column, count in enumerate(counts):
            over = accuracies[:, counted, place, column].mean(1) if counted.any() else np.full(len(accuracies), np.nan)
            average, error = _mean_and_error(over)
            scores[f"accuracy_{kind}_{count}"], scores[f"accuracy_{kind}_{count}_se"] = float(average), float(error)
    scores["num_named"] = float(named_FD.sum(1).double().mean())
    return AssayResult(
        arrays={
            "accuracy": Array(mean, axes, "1", "accuracy on held-out images, mean over repeats"),
            "accuracy_se": Array(se, axes, "1", "standard error of accuracy over repeats; NaN of a single one"),
            "response": Array(response_FD.numpy(), ("factor", "latent"), "latent", "conditioned response"),
            "response_se": Array(
                response_se_FD.numpy(), ("factor", "latent"), "latent", "standard error of response, over groups"
            ),
            "named": Array(named_FD.numpy().astype(np.uint8), ("factor", "latent"), "1", "1 where the factor names it"),
            "chance": Array(np.array(chance), ("factor",), "1", "accuracy of guessing: classes are equally frequent"),
        },
        coordinates={"factor": np.array(names), "latents": np.array(LATENTS), "labels": np.array(counts)},
        scores=scores,
        settings=settings,
    )


def _mean_and_error(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Over the first axis, of repeats."""
    repeats = len(values)
    spread = values.std(0, ddof=1) / math.sqrt(repeats) if repeats > 1 else np.full(values.shape[1:], np.nan)
    return values.mean(0), np.asarray(spread)


def _checked(
    labels: Sequence[int],
    num_test: int,
    repeats: int,
    threshold: float,
    num_groups: int,
    max_pairs: int,
    batch_size: int | None,
) -> list[int]:
    if isinstance(labels, str | int) or not labels or not all(is_whole(count, 2) for count in labels):
        raise SettingError(f"labels must be whole numbers of at least 2, as in [100, 1000], not {labels!r}")
    for key, value, least in (
        ("num_test", num_test, 1),
        ("repeats", repeats, 1),
        ("num_groups", num_groups, 1),
        ("max_pairs", max_pairs, 2),
    ):
        check_whole(key, value, least)
    check_batch_size(batch_size)
    if not is_number(threshold) or not 0 < threshold <= 1:
        raise SettingError(f"threshold must be a number above 0 and up to 1, not {threshold!r}")
    return list(labels)

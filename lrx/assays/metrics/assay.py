"""The established disentanglement metrics of one model, on codes that are encoded once.

Each metric and its source: lrx/metrics/; what each is given, and how many points: lrx/metrics/table.py. Factors are
those of a grid, or the labels of a data set that is no grid.
M images encoded, N points of a metric, D latents, F factors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import torch

from lrx.core.known_classes import known_classes
from lrx.core.types import Array, AssayResult, Autoencoder, Dataset
from lrx.core.validation import SettingError, check_batch_size, check_choice
from lrx.metrics.dci import IMPORTANCE, TREES
from lrx.metrics.points import singleton_fraction
from lrx.metrics.table import METRICS, PRESETS, VOTING, Points
from lrx.responses.encoding import encode_images, fitting_batch_size, image_order


def metrics(
    autoencoder: Autoencoder,
    dataset: Dataset,
    generator: torch.Generator,
    *,
    preset: str,
    only: list[str] | None,
    trees: str,
    batch_size: int | None,
    progress: Callable[[int, int], None] | None = None,
) -> AssayResult:
    """Encode images once and score their codes against their known classes: factors of a grid, or labels.

    preset: `study` or `fast`, the sizes in PRESETS.
    only: the metrics to compute (see METRICS), None for all that the images can serve; a metric's score does not depend
    on the others.
    trees: `lightgbm` or `sklearn`, for dci.
    batch_size: images per forward pass, None for one that fits the memory; changes no result beyond rounding.
    progress: called with the steps done and their number; the first is the encoding, then each metric.

    A data set with fewer images than num_train + num_test is encoded whole, and the points are drawn from it with
    replacement, as the study draws them always: training and test points then share images. Factors with one value
    among the training points are left out by name. FactorVAE and BetaVAE, which draw votes of images that share a
    class, are left out by name where too many images would have to vote with themselves, see `_unserved`.
    Scores that have no standard error: dci_disentanglement, dci_completeness, irs. A factor of whose values one is rare
    has little entropy, so the gap of MIG and the balanced accuracies of SAP are noisy there.
    ValueError for a setting out of range, data without classes or with one value of each, a metric of `only` that the
    images cannot serve, or codes that are not finite.
    """
    _check(preset, only, trees, batch_size)
    known = known_classes(dataset, "assay=metrics")
    sizes = PRESETS[preset]
    total = sizes.num_train + sizes.num_test
    report = progress or (lambda done, steps: None)

    images = image_order(dataset, generator)[:total]
    seeds = {name: int(torch.randint(2**31 - 1, (1,), generator=generator)) for name in ("points", *METRICS)}
    rows_N = np.arange(total) if len(images) == total else _again(len(images), total, seeds["points"])
    classes_MF = known.classes(images).numpy()
    varied = np.flatnonzero(np.ptp(classes_MF[rows_N[: sizes.num_train]], axis=0))
    if not len(varied):
        raise ValueError(f"assay=metrics needs a factor or label with two values, and {dataset.name} has none")
    classes_MF = classes_MF[:, varied]
    unserved = _unserved(classes_MF, sizes.eval_votes, only or [], dataset.name)
    chosen = [name for name in METRICS if name not in unserved and (only is None or name in only)]
    report(0, 1 + len(chosen))
    batch_size = batch_size or fitting_batch_size(dataset.observation_shape)
    codes_MD = encode_images(autoencoder, dataset, images, batch_size=batch_size).cpu().numpy()
    num_threads = torch.get_num_threads()
    points = Points(codes_MD, classes_MF, codes_MD[rows_N], classes_MF[rows_N], sizes, trees, num_threads)

    scores: dict[str, float] = {}
    arrays: dict[str, Array] = {}
    for step, name in enumerate(chosen, start=1):
        report(step, 1 + len(chosen))
        measured, matrices = METRICS[name](points, torch.Generator().manual_seed(seeds[name]))
        scores.update(measured)
        arrays.update(matrices)
    report(1 + len(chosen), 1 + len(chosen))
    names = [known.names[factor] for factor in varied]
    arrays["code_std"] = Array(codes_MD.std(axis=0, dtype=np.float64), ("latent",), "latent", "deviation of the codes")
    return AssayResult(
        arrays=arrays,
        coordinates={"latent": np.arange(codes_MD.shape[1]), "factor": np.array(names)},
        scores=scores,
        settings={
            "preset": preset,
            **vars(sizes),
            "only": None if only is None else ", ".join(chosen),
            "trees": trees,
            "importance_type": IMPORTANCE,
            "num_threads": num_threads,
            "num_images": len(images),
            "with_replacement": len(images) < total,
            "factors_left_out": ", ".join(name for name in known.names if name not in names) or None,
            "metrics_left_out": ", ".join(unserved) if only is None and unserved else None,
            "scikit_learn": version("scikit-learn"),
            "scipy": version("scipy"),
            "lightgbm": version("lightgbm") if trees == "lightgbm" else None,
            "batch_size": batch_size,
        },
    )


def _again(images: int, total: int, seed: int) -> np.ndarray:
    return torch.randint(images, (total,), generator=torch.Generator().manual_seed(seed)).numpy()


def _unserved(classes_MF: np.ndarray, eval_votes: int, only: list[str], name: str) -> tuple[str, ...]:
    """The metrics whose votes these images cannot serve: none, or those that draw images which share a class.

    A vote of an image whose class no other image has holds that image alone, and says nothing of the latents. Such
    votes may be as many as cannot change the score by more than its standard error, which is at most 1 / 2 sqrt(votes).
    ValueError when `only` asks for one of them.
    """
    share = singleton_fraction(classes_MF)
    if share <= 0.5 / math.sqrt(eval_votes):
        return ()
    asked = [metric for metric in only if metric in VOTING]
    if asked:
        raise SettingError(
            f"only={','.join(asked)} compares images that share a class, and {share:.0%} of the classes of "
            f"{len(classes_MF)} images of {name} are of one image alone; leave it out of only"
        )
    return VOTING


def _check(preset: str, only: list[str] | None, trees: str, batch_size: int | None) -> None:
    check_choice("preset", preset, tuple(PRESETS))
    check_choice("trees", trees, TREES)
    if only is not None and (not isinstance(only, list) or not only or not set(only) <= set(METRICS)):
        raise SettingError(f"only must be null or a list of {', '.join(METRICS)}, not {only!r}")
    check_batch_size(batch_size)

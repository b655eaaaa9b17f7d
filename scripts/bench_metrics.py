"""Time the disentanglement metrics of the study, and the trees of DCI against those of scikit-learn.

python scripts/bench_metrics.py [--quick] [--threads 2]

The codes are ten latents: five that mix the five factors of dSprites slightly, and five of noise.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from benchsides import Measured, Side, Turns, in_turns, ratio, spread
from benchtable import Row, Section, main
from torch import Tensor

from lrx.assays.metrics.assay import Settings
from lrx.assays.run import run_assay
from lrx.core.factors import FactorSpace
from lrx.core.types import AssayResult
from lrx.metrics.dci import dci
from lrx.metrics.trees import TREES

FACTORS = FactorSpace(("shape", "scale", "orientation", "x", "y"), (3, 6, 40, 32, 32))
LATENTS, SECONDS, TIMES = 10, 240.0, 5.0  # demanded: at most so many seconds; lightgbm so many times as fast
COMPARED = ("shape", "scale", "orientation")  # of DCI; 32 positions would take scikit-learn minutes


class Codes:
    """Grid of factors whose observations are codes: mixed factors, then latents without information, all with noise."""

    name, source, fingerprint, observation_shape = "codes", "made for this benchmark", "0", (LATENTS,)
    factors = FACTORS

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        classes = FACTORS.classes(torch.arange(FACTORS.num_points)).numpy()
        factors = classes / (np.array(FACTORS.sizes) - 1) - 0.5
        mixing = np.eye(len(FACTORS)) + 0.2 * random.normal(size=(len(FACTORS), len(FACTORS)))
        idle = np.zeros((len(factors), LATENTS - len(FACTORS)))
        codes = np.concatenate([factors @ mixing, idle], axis=1) + 0.05 * random.normal(size=(len(factors), LATENTS))
        self.codes = torch.from_numpy(codes.astype(np.float32))

    def __len__(self) -> int:
        return FACTORS.num_points

    def raw(self, indices: Tensor) -> Tensor:
        return self.codes[indices]

    images = raw


class Reading(torch.nn.Module):
    """Encoder that returns the observations as codes."""

    def encode(self, x: Tensor) -> Tensor:
        return x

    def decode(self, z: Tensor) -> Tensor:
        return z


def study_side(preset: str, turns: Turns) -> None:
    data = Codes()
    for turn in turns:
        generator = torch.Generator().manual_seed(turn)
        result = run_assay(Settings(preset=preset), Reading(), data, generator)
        assert isinstance(result, AssayResult)
        turns.found = dict(result.scores)


def trees_side(trees: str, points: int, turns: Turns) -> None:
    """Run DCI of a few factors on `points` training and half as many test points, and store the informativeness."""
    data = Codes()
    informativeness(data, trees, points=100, seed=0)  # imports its library
    for turn in turns:
        turns.found = informativeness(data, trees, points=points, seed=turn)


def informativeness(data: Codes, trees: str, *, points: int, seed: int) -> np.ndarray:
    indices = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))[: points + points // 2]
    found = dci(
        data.raw(indices),
        FACTORS.classes(indices)[:, [FACTORS.names.index(name) for name in COMPARED]],
        num_train=points,
        trees=trees,
        num_threads=torch.get_num_threads(),
        generator=torch.Generator().manual_seed(seed),
    )
    return found.informativeness


def measure(*, quick: bool, threads: int) -> Section:
    points, preset = (100, "fast") if quick else (1500, "study")
    whole = in_turns([Side("study", functools.partial(study_side, preset))], turns=1, threads=threads)["study"]
    sides = [
        Side(trees, functools.partial(trees_side, trees, points), keep_memory=trees == "lightgbm") for trees in TREES
    ]
    compared = in_turns(sides, turns=1, threads=threads)
    slow, fast = (compared[trees] for trees in ("sklearn", "lightgbm"))
    scores = whole.found[0]
    rows = [
        Row(
            f"all metrics, preset {preset}",
            spread(whole.seconds),
            demanded=f"{SECONDS:g} s",
            met=max(whole.seconds) <= SECONDS,
            note=f"DCI {scores['dci_disentanglement']:.2f}, MIG {scores['mig']:.2f}, SAP {scores['sap']:.2f}, "
            f"FactorVAE {scores['factorvae']:.2f}",
        ),
        _trees("DCI by scikit-learn", slow, slow),
        _trees("DCI by lightgbm, as lrx has it", fast, slow),
    ]
    text = (
        f"Ten latents, the five factors of dSprites. All metrics: 10,000 points to train and 5,000 to test (a fifth of "
        f"them in the preset fast). DCI alone, of {', '.join(COMPARED)}: {points:,} points, against scikit-learn's "
        "GradientBoostingClassifier, which the study used."
    )
    return Section("Metrics", text, "s", rows)


def _trees(name: str, side: Measured, slow: Measured) -> Row:
    note = f"accuracy {np.mean(side.found):.3f}"
    if side is slow:
        return Row(name, spread(side.seconds), note=note)
    times = ratio(slow, side)
    return Row(name, spread(side.seconds), times, None, f"{TIMES:g}", times.median >= TIMES, note)


if __name__ == "__main__":
    main(measure, __doc__)

"""DCI's trees: lightgbm against scikit-learn's GradientBoostingClassifier, on synthetic codes of ten latents.

python scripts/bench_metrics.py [--points 2000] [--factors shape,scale,orientation] [--turns 1] [--threads 1]

The factors are those of dSprites; the study takes 10,000 points and all five, where scikit-learn needs many minutes.
Demanded: lightgbm at least 8 times as fast, in CPU time, over the factors together.
"""

import argparse
import time

import numpy as np
import torch

from lrx.metrics.dci import TREES, dci

SIZES = {"shape": 3, "scale": 6, "orientation": 40, "x": 32, "y": 32}
LATENTS, DEMANDED = 10, 8.0


def synthetic(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes (points, 10) that mix five factors a little, five of them noise; and classes (points, 5)."""
    random = np.random.default_rng(0)
    classes = np.stack([random.integers(size, size=points) for size in SIZES.values()], axis=1)
    factors = classes / (np.array(list(SIZES.values())) - 1) - 0.5
    mixing = np.eye(len(SIZES)) + 0.2 * random.normal(size=(len(SIZES), len(SIZES)))
    codes = np.concatenate([factors @ mixing, np.zeros((points, LATENTS - len(SIZES)))], axis=1)
    return codes + 0.05 * random.normal(size=codes.shape), classes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=2000)
    parser.add_argument("--factors", default="shape,scale,orientation")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    names = arguments.factors.split(",")
    if not set(names) <= set(SIZES):
        parser.error(f"--factors must be among {', '.join(SIZES)}")
    codes, classes = synthetic(arguments.points + arguments.points // 2)
    seconds = {tree: dict.fromkeys(names, 0.0) for tree in TREES}
    accuracy = {tree: dict.fromkeys(names, 0.0) for tree in TREES}
    for turn in range(arguments.turns):
        for name in names:
            column = classes[:, [list(SIZES).index(name)]]
            for tree in TREES:
                began = time.process_time()
                found = dci(
                    codes,
                    column,
                    num_train=arguments.points,
                    trees=tree,
                    num_threads=arguments.threads,
                    generator=torch.Generator().manual_seed(turn),
                )
                seconds[tree][name] += (time.process_time() - began) / arguments.turns
                accuracy[tree][name] = found.informativeness
    print(
        f"{arguments.points} points, D = {LATENTS}, {arguments.threads} threads, {arguments.turns} turns, CPU seconds"
    )
    print(f"{'factor':14}{'values':>7}{'sklearn':>10}{'lightgbm':>10}{'ratio':>8}{'accuracies':>15}")
    for name in names:
        slow, fast = seconds["sklearn"][name], seconds["lightgbm"][name]
        right = f"{accuracy['sklearn'][name]:.3f} {accuracy['lightgbm'][name]:.3f}"
        print(f"{name:14}{SIZES[name]:7}{slow:10.2f}{fast:10.2f}{slow / fast:8.1f}{right:>15}")
    slow, fast = (sum(seconds[tree].values()) for tree in ("sklearn", "lightgbm"))
    met = "met" if slow >= DEMANDED * fast else "MISSED"
    print(f"{'together':21}{slow:10.2f}{fast:10.2f}{slow / fast:8.1f}   {DEMANDED:.0f} demanded: {met}")


if __name__ == "__main__":
    main()

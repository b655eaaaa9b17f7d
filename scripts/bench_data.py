"""Median milliseconds to read a random batch of images as uint8, for each data set that can be opened.

python scripts/bench_data.py [root]    (a folder of data, else LRX_DATA, else data; what is not there yet is rendered)
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import torch

from lrx.data.dsprites import dsprites
from lrx.data.helix import double_helix
from lrx.data.shapes3d import shapes3d
from lrx.types import Dataset

BATCH, BATCHES, WARM_UP = 128, 200, 20


def milliseconds(dataset: Dataset) -> float:
    generator = torch.Generator().manual_seed(0)
    times = []
    for _ in range(WARM_UP + BATCHES):
        indices = torch.randint(len(dataset), (BATCH,), generator=generator)
        start = time.perf_counter()
        dataset.raw(indices)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[WARM_UP:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", default=os.environ.get("LRX_DATA", "data"))
    arguments = parser.parse_args()
    cases: list[tuple[str, Callable[[], Dataset]]] = [
        (f"{name} {source}", lambda make=make, source=source: make(root=arguments.root, source=source))
        for name, make in (("dsprites", dsprites), ("3dshapes", shapes3d))
        for source in ("file", "rendered")
    ]
    cases.append(("helix", lambda: double_helix(num_points=1024, noise=0.1, seed=0)))
    print(f"{'data set':20} {'open, s':>9} {'ms a batch':>11}  source   ({BATCH} images, median of {BATCHES})")
    for label, make in cases:
        try:
            make()
        except FileNotFoundError:
            print(f"{label:20} {'-':>9} {'-':>11}  no official file under {arguments.root}")
            continue
        start = time.perf_counter()
        dataset = make()
        opened = time.perf_counter() - start
        print(f"{label:20} {opened:9.4f} {milliseconds(dataset):11.3f}  {dataset.source}")


if __name__ == "__main__":
    main()

"""Time reading batches of images against the rate at which training consumes them.

python scripts/bench_data.py [--quick] [--threads 2]

Training is that of the smallest network, conv64, in the precision in which it is fastest. A batch is read as training
reads it: random images as stored, as floats in the memory order of convolutions. Missing data sets are rendered first.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import torch
from bench_train import BATCH, lrx_side
from benchmodel import ROOT, shapes
from benchrate import has_bf16
from benchsides import Side, Turns, in_turns, ratio, spread
from benchtable import Row, Section, main
from PIL import Image

from lrx.core.types import Dataset, as_float
from lrx.data.arrays import arrays
from lrx.data.dsprites import dsprites
from lrx.data.folder import folder
from lrx.data.helix import double_helix
from lrx.data.mpi3d import mpi3d

DEMANDED = 5.0
TRAINING = "training consumes"
PICTURES = 512
NAMES = ("dsprites", "3dshapes", "mpi3d", "folder", "arrays", "helix")
OWN = {"folder": "PNG files, converted once", "arrays": "a compressed npz, converted once"}


def opened(name: str, made: str) -> Dataset:
    """Return a data set by its name; made: the folder with the images of noise."""
    if name == "dsprites":
        return dsprites(root=ROOT, source="auto")
    if name == "3dshapes":
        return shapes()
    if name == "mpi3d":
        return mpi3d(root=ROOT, variant="toy", source="auto")
    if name == "helix":
        return double_helix(num_points=1024, noise=0.1, seed=0)
    pictures, file = Path(made) / "pictures", Path(made) / "pictures.npz"
    if name == "folder":
        return folder(root=made, path=str(pictures), size=None, crop=None, channels=3, on_corrupt="error")
    return arrays(root=made, path=str(file), images="images", layout="channels_last", classes=None, factor_names=None)


def make_pictures(folder: Path) -> None:
    """Write images of noise, as PNG files and in one compressed npz."""
    pixels = np.random.default_rng(0).integers(256, size=(PICTURES, 64, 64, 3), dtype=np.uint8)
    (folder / "pictures").mkdir()
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(folder / "pictures" / f"{number:04}.png")
    np.savez_compressed(folder / "pictures.npz", images=pixels)


def reading_side(name: str, made: str, steps: int, turns: Turns) -> None:
    data, generator = opened(name, made), torch.Generator().manual_seed(0)

    def read() -> None:
        x = as_float(data.raw(torch.randint(len(data), (BATCH,), generator=generator)))
        if x.ndim == 4:
            x.contiguous(memory_format=torch.channels_last)

    for _ in range(20):
        read()
    for _ in turns:
        for _ in range(steps):
            read()
        turns.found = OWN.get(name, data.source)


def measure(*, quick: bool, threads: int) -> Section:
    turns, steps = (2, 5) if quick else (3, 60)
    precision = "bf16" if has_bf16() else "float32"
    with tempfile.TemporaryDirectory() as made:
        make_pictures(Path(made))
        for name in NAMES:
            opened(name, made)  # rendered or converted before the sides begin
        sides = [Side(TRAINING, functools.partial(lrx_side, 1, steps, turns, precision, False))]
        sides += [Side(name, functools.partial(reading_side, name, made, steps)) for name in NAMES]
        found = in_turns(sides, turns=turns, threads=threads)
    rows = []
    for name, side in found.items():
        cost = spread([1000 * seconds / steps for seconds in side.seconds])
        if name == TRAINING:
            rows.append(Row(name, cost, note=f"conv64, {precision}"))
        else:
            times = ratio(found[TRAINING], side)
            rows.append(Row(name, cost, times, None, f"{DEMANDED:g}", times.least >= DEMANDED, str(side.found[0])))
    text = (
        f"Random batches of {BATCH} images, as training reads them, against a training step of the smallest network. "
        f"The folder and the arrays hold {PICTURES} images of noise."
    )
    return Section("Data", text, "ms a batch", rows)


if __name__ == "__main__":
    main(measure, __doc__)

"""Readers of lrx and good files for them, for tests and scripts that damage the files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pyarrow
import torch
from PIL import Image
from pyarrow import parquet
from safetensors.torch import save_file

from lrx.core.types import Array, AssayResult, Dataset
from lrx.data.arrays import arrays
from lrx.data.code_file import read_codes
from lrx.data.folder import folder as image_folder
from lrx.data.official.celeba_lists import attribute_classes
from lrx.responses.work_units import Shard, WorkUnit
from lrx.runs import run_files, run_folder, shards, status
from lrx.storage import result_scan, results
from lrx.storage.state_dict_file import read_state_dict
from lrx.training import checkpoint, metrics_log

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
CLASSES = np.arange(6)
WEIGHTS = {"encoder.weight": torch.ones(3, 4), "decoder.weight": torch.arange(12.0).view(4, 3)}


@dataclass(frozen=True)
class Reader:
    """make: writes a good file into a folder and returns its path. read: reads a file at that path."""

    make: Callable[[Path], Path]
    read: Callable[[Path], object]


def _written(name: str, write: Callable[[Path], object]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
        return path

    return make


def _checkpoint(path: Path) -> None:
    model = torch.nn.Linear(3, 4)
    data = {"name": "toy", "source": "made", "fingerprint": "0"}
    optimizer = torch.optim.Adam(model.parameters())
    checkpoint.save(path, model=model, optimizer=optimizer, step=1, steps=1, config="seed: 0\n", data=data)


def _result(path: Path) -> None:
    arrays = {
        "matrix": Array(RANDOM.random((4, 4)), ("intervened", "responding")),
        "samples": Array(IMAGES, ("image", "y", "x", "channel")),
    }
    labels = {"intervened": np.arange(4), "responding": np.array(["a", "b", "c", "d"], dtype=object)}
    result = AssayResult(arrays, labels, {"score": 0.5, "score_se": 0.1}, {"num_samples": 3, "remark": None})
    results.write(path, {"response_matrix": result}, {"seed": 0, "config": "seed: 0\n", "checkpoint_sha256": "00"})


def _hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=IMAGES, compression="gzip")
        file["classes"] = CLASSES


def _read_part(path: Path) -> object:
    about = shards.read_about(path)
    with shards.opened(path.parents[1], 1, whole=[about.whole]) as parts:
        assert parts is not None
        unit = WorkUnit((0, 1), 1, lambda: (torch.zeros(3),))
        return list(parts.values([unit], total=1, progress=lambda done: None))


def _part(path: Path) -> None:
    shard = Shard(1, 1)
    shard.values_by_key[0, 1] = (torch.ones(3), torch.zeros(2, 2))
    shards.write(path.parent, shard, shards.About("00", "0", "response_matrix", 1.0, "00"))


def _read_arrays(path: Path) -> object:
    classes = None if path.suffix == ".npy" else "classes"
    keywords = {"images": "images", "layout": "auto", "classes": classes, "factor_names": None}
    return _all_images(arrays(root=str(path.parent / "root"), path=str(path), **keywords))


def _read_picture(path: Path) -> object:
    keywords = {"size": 8, "crop": None, "channels": None, "on_corrupt": "error"}
    return _all_images(image_folder(root=str(path.parent.parent / "root"), path=str(path.parent), **keywords))


def _all_images(data: Dataset) -> torch.Tensor:
    return data.raw(torch.arange(len(data)))


def _picture(path: Path) -> None:
    Image.fromarray(IMAGES[0]).save(path)


def _attributes(path: Path) -> None:
    rows = "".join(f"{number + 1:06d}.jpg  1 -1\n" for number in range(50))
    path.write_text(f"50\nYoung Smiling\n{rows}")


def _npz(save: Callable[..., None]) -> Callable[[Path], None]:
    return lambda path: save(path, images=IMAGES, classes=CLASSES)


def _log(path: Path) -> None:
    path.write_text("".join(json.dumps({"step": step, "loss": 0.5}) + "\n" for step in range(20)))


def _status(path: Path) -> None:
    status.write(path.parent, status.Status("done", "train", ("seed=0",)))


def _codes_table(path: Path) -> None:
    columns = {f"z{place}": RANDOM.random(20) for place in range(3)} | {"shape": RANDOM.integers(0, 3, 20)}
    if path.suffix == ".parquet":
        parquet.write_table(pyarrow.table(columns), path)
    else:
        rows = zip(*columns.values(), strict=True)
        path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n")


def _codes_file(path: Path) -> None:
    arrays = {"codes": RANDOM.random((20, 3)), "factors": RANDOM.integers(0, 3, (20, 2))}
    if path.suffix == ".npz":
        np.savez(path, **arrays)
        return
    with h5py.File(path, "w") as file:
        for key, values in arrays.items():
            file[key] = values


READERS = {
    **{f"codes, {ending}": Reader(_written(f"c.{ending}", _codes_table), read_codes) for ending in ("csv", "parquet")},
    **{f"codes, {ending}": Reader(_written(f"c.{ending}", _codes_file), read_codes) for ending in ("npz", "h5")},
    "checkpoint": Reader(_written("checkpoint.pt", _checkpoint), checkpoint.load),
    "result": Reader(_written("result.h5", _result), results.read),
    "result, for tables": Reader(_written("result.h5", _result), result_scan.scan),
    "part of a shard": Reader(_written("s/1of1/part.npz", _part), _read_part),
    "config.yaml": Reader(
        _written("run/config.yaml", lambda path: path.write_text("seed: 0\nname: run\nmodel:\n  beta: [1, 2.5]\n")),
        lambda path: (run_folder.read_flat(path.parent), run_files.read_config(path.parent, path.parent)),
    ),
    "status.json": Reader(
        _written("run/status.json", _status),
        lambda path: (status.read(path.parent), run_files.read_status(path.parent, path.parent)),
    ),
    "metrics.jsonl": Reader(
        _written("metrics.jsonl", _log),
        lambda path: (metrics_log.read(path.parent), metrics_log.last_loss(path.parent)),
    ),
    "state dict": Reader(_written("w.pt", lambda path: torch.save(WEIGHTS, path)), read_state_dict),
    "state dict of an old torch": Reader(
        _written("w.pt", lambda path: torch.save(WEIGHTS, path, _use_new_zipfile_serialization=False)), read_state_dict
    ),
    "state dict beside objects": Reader(
        _written("w.ckpt", lambda path: torch.save({"net": WEIGHTS, "other": Path("x")}, path)),
        read_state_dict,
    ),
    "safetensors": Reader(_written("w.safetensors", lambda path: save_file(WEIGHTS, path)), read_state_dict),
    "npz": Reader(_written("a.npz", _npz(np.savez)), _read_arrays),
    "npz, packed": Reader(_written("a.npz", _npz(np.savez_compressed)), _read_arrays),
    "npy": Reader(_written("a.npy", lambda path: np.save(path, IMAGES)), _read_arrays),
    "HDF5": Reader(_written("a.h5", _hdf5), _read_arrays),
    "CelebA list": Reader(_written("list_attr_celeba.txt", _attributes), lambda path: list(attribute_classes(path))),
    **{
        ending: Reader(_written(f"pictures/a.{ending}", _picture), _read_picture)
        for ending in ("png", "jpg", "gif", "tif", "webp", "bmp", "ppm")
    },
}

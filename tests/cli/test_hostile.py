"""Hostile files run nothing and reach nothing outside themselves; test_bombs.py is about those that are too large."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from lrx.data.arrays import arrays
from lrx.data.celeba import celeba
from lrx.storage.state_dict_file import read_state_dict
from lrx.training import checkpoint
from tests.conftest import Lrx
from tests.data.test_celeba import JPEGS, attributes_text, partition_text
from tests.support import bad_data, bad_runs
from tests.support.command_line import assert_refused
from tests.training.test_checkpoint import Payload

pytestmark = pytest.mark.filterwarnings("ignore:.*is not the file that was published")


def own(path: Path, **settings: str | None) -> object:
    known = {"images": "images", "layout": "auto", "classes": None, "factor_names": None}
    return arrays(root=str(path.parent), path=str(path), **(known | settings))


# ------------------------------------------------------------------------------------------------- code in files


PICTURES = ["dataset=folder", "dataset.path=pictures", "network=mlp", "network.hidden=[4]", "latent_dim=2"]


def pictures_of_two_kinds(place: Path) -> None:
    for number, value in enumerate((0, 80, 160, 240) * 2):
        path = place / f"pictures/{'ab'[number % 2]}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), value, np.uint8)).save(path)


def test_damaged_probe(lrx: Lrx, place: Path) -> None:
    pictures_of_two_kinds(place)
    assert lrx("train", *PICTURES, "trainer.steps=1", "name=labelled").returncode == 0
    words = ["assay", "ckpt=outputs/train/labelled", "assay=generation", "assay.num_samples=8", "assay.probe_steps=1"]
    words += ["assay.neighbours=1", "assay.shown=2", "assay.features=probe", "assay.cache=kept"]
    assert lrx(*words, "name=first").returncode == 0
    (kept,) = (place / "kept").iterdir()
    trap, whole = place / "trap", kept.read_bytes()
    torch.save({"format": "lrx probe 2", "state": Payload(trap)}, kept)
    hostile = kept.read_bytes()
    torch.save([1, 2], kept)
    for content in (hostile, kept.read_bytes(), whole[:-100], b"hello", b""):
        kept.write_bytes(content)
        assert_refused(lrx(*words, "name=second"), kept.name, "is not a kept probe", "remove it")
        assert not trap.exists()
        assert not (place / "outputs/assay/second/result.h5").exists()
    kept.unlink()
    assert lrx(*words, "name=second").returncode == 0


@pytest.mark.parametrize("zipped", [True, False])
def test_pickle_is_not_run(tmp_path: Path, zipped: bool) -> None:
    trap, path = tmp_path / "trap", tmp_path / "w.pt"
    torch.save({"a": Payload(trap)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match="not an lrx checkpoint"):
        checkpoint.load(path)
    with pytest.raises(ValueError, match="no tensors under a" if zipped else "no state dict that loads safely"):
        read_state_dict(path)
    path.rename(tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="no state dict that loads safely"):
        read_state_dict(tmp_path / "w.safetensors")
    assert not trap.exists()


def test_npy_header_is_not_evaluated(tmp_path: Path) -> None:
    trap, path = tmp_path / "trap", tmp_path / "a.npz"
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': __import__('os').mkdir({str(trap)!r}), }}".encode()
    path.write_bytes(bad_data.zipped({"images.npy": bad_data.npy(header)}))
    with pytest.raises(ValueError, match="header of 'images'"):
        own(path)
    assert not trap.exists()


TAGS = ["!!python/object/apply:os.mkdir ['trap']", "dataset: !!python/object/new:os.mkdir ['trap']"]


@pytest.mark.parametrize("text", TAGS)
def test_python_tags_in_yaml(text: str, lrx: Lrx, place: Path) -> None:
    bad_runs.own_yaml(text.encode())(place)
    assert_refused(lrx(*bad_runs.OWN_YAML), "mine.yaml", "could not determine a constructor")
    bad_runs.stored(lambda content: content.update(config=text))(place)
    assert_refused(lrx(*bad_runs.MEASURE), "the checkpoint's config", "could not determine a constructor")
    bad_runs.in_run("config.yaml", text.encode())(place)
    assert_refused(lrx(*bad_runs.TRAIN), "config.yaml is damaged", "could not determine a constructor")
    assert not (place / "trap").exists()


TARGETS = {
    "in a list": "x: [[{_target_: os.mkdir, path: trap}]]",
    "in a setting of a known class": "dataset: {_target_: lrx.data.helix.double_helix, seed: {_target_: os.mkdir}}",
    "from an environment": "x: {_target_: '${oc.env:EVIL}'}",
    "put together": "a: {_target_: os.mkdir}\nx: ${a}",
    "in place of the autoencoder": "autoencoder: {_target_: os.mkdir, path: trap}",
}


@pytest.mark.parametrize("way", TARGETS)
def test_foreign_target_is_not_run(way: str, lrx: Lrx, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVIL", "os.mkdir")
    bad_runs.stored(lambda content: content.update(config=TARGETS[way]))(place)
    assert_refused(lrx(*bad_runs.MEASURE), "_target_=os.mkdir", "it is not run")
    assert not (place / "trap").exists()


def test_escaped_interpolation(lrx: Lrx, place: Path) -> None:
    text = r"network: '\${oc.create:{_target_:os.mkdir,path:trap}}'"
    bad_runs.stored(lambda content: content.update(config=text))(place)
    assert_refused(lrx(*bad_runs.MEASURE), "an interpolation within an interpolation at network")
    assert not (place / "trap").exists()


def test_yaml_aliases(lrx: Lrx, place: Path) -> None:
    text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    text += "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    bad_runs.stored(lambda content: content.update(config=text))(place)
    assert_refused(lrx(*bad_runs.MEASURE), "the checkpoint's config", "it has aliases")
    bad_runs.in_run("config.yaml", text.encode())(place)
    assert_refused(lrx(*bad_runs.TRAIN), "config.yaml has YAML aliases")


# --------------------------------------------------------------------------------------------- paths out of the way


NAMES = ["name=../../../evil", "name=a/../../../../evil", "name='/evil'", "name=x,../../../evil"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sweep", [[], ["-m", "seed=0,1"]])
def test_name_outside_outputs(name: str, sweep: list[str], lrx: Lrx, place: Path) -> None:
    if "," in name and not sweep:
        sweep = ["-m"]
    before = set(place.parent.rglob("*"))
    assert lrx("train", *bad_runs.TINY, name, *sweep).returncode == 2
    assert {path for path in place.parent.rglob("*") if path.is_file()} <= before
    assert not (place / "evil").exists()


def test_zip_with_paths(tmp_path: Path) -> None:
    (tmp_path / "list_attr_celeba.txt").write_text(attributes_text())
    (tmp_path / "list_eval_partition.txt").write_text(partition_text())
    for name in ("../../evil.jpg", str(tmp_path / "evil.jpg"), "img_align_celeba/../evil.jpg"):
        (tmp_path / "img_align_celeba.zip").write_bytes(bad_data.zipped({**JPEGS, name: b"x"}))
        with pytest.raises(ValueError, match=r"evil\.jpg' is not among them"):
            celeba(root=str(tmp_path), size=8, crop=148, on_corrupt="error")
    assert not list(tmp_path.parent.rglob("evil*"))


def soft(file: h5py.File, other: Path) -> None:
    file["images"] = h5py.SoftLink("/images")


def external(file: h5py.File, other: Path) -> None:
    file["images"] = h5py.ExternalLink(str(other), "/images")


def virtual(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout((3, 4, 4), "u1")
    layout[:] = h5py.VirtualSource(str(other), "images", (3, 4, 4))
    file.create_virtual_dataset("images", layout)


def raw(file: h5py.File, other: Path) -> None:
    file.create_dataset("images", (3, 4, 4), "u1", external=[(str(other), 0, 48)])


@pytest.mark.parametrize("way", [soft, external, virtual, raw])
@pytest.mark.parametrize("key", ["images", "classes"])
def test_hdf5_arrays_in_other_files(tmp_path: Path, way: Callable[[h5py.File, Path], None], key: str) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["images"] = np.zeros((3, 4, 4), np.uint8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        way(file, tmp_path / "other.h5")
        file["mine"] = np.zeros((3, 4, 4), np.uint8)
    images, classes = ("images", None) if key == "images" else ("mine", "images")
    with pytest.raises(ValueError, match=r"'images' (is a link to elsewhere|lie in another file)"):
        own(tmp_path / "a.h5", images=images, classes=classes)
    assert not list(tmp_path.rglob("*.pixels"))


def test_pipe_in_place_of_a_file(lrx: Lrx, place: Path) -> None:
    for name, words in (("w.pt", ["import", "weights=w.pt"]), ("c.pt", ["assay", "ckpt=c.pt"])):
        os.mkfifo(place / name)
        assert_refused(lrx(*words), "it is a device, a pipe or a socket, not a file")

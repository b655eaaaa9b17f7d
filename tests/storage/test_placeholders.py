"""Placeholders: tensors of files that name other classes are read, and nothing that a file names is run."""

from __future__ import annotations

import collections
import pickle
import sys
import types
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from lrx.storage.placeholders import Placeholder, read_with_placeholders
from lrx.storage.state_dict_file import read_state_dict
from tests.support.pickle_payload import Payload

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool)


class Settings(dict):  # type: ignore[type-arg]
    """Hyperparameters as Lightning keeps them: a mapping of its own kind, with attributes."""


class Outer:
    class Inner:
        """Class within a class, as disent's settings are."""


class Kept(list):  # type: ignore[type-arg]
    pass


def read(path: Path) -> object:
    with path.open("rb") as file:
        return read_with_placeholders(file)


def test_tensors_are_those_of_torch(tmp_path: Path) -> None:
    base = torch.arange(24.0).view(2, 3, 4)
    tensors = {str(dtype): (base * 3).to(dtype) for dtype in DTYPES}
    tensors |= {"transposed": base.mT, "slice": base[1, 1:, ::2], "empty": torch.empty(0, 2), "number": torch.tensor(7)}
    tensors |= {"shared": base.view(-1)[5:9], "parameter": nn.Parameter(base)}
    torch.save({"state_dict": collections.OrderedDict(tensors)}, tmp_path / "w.pt")
    content = read(tmp_path / "w.pt")
    assert isinstance(content, dict)
    assert content["state_dict"].keys() == tensors.keys()
    for key, value in tensors.items():
        got = content["state_dict"][key]
        assert got.dtype == value.dtype
        assert torch.equal(got, value)
        assert got.is_contiguous() == value.is_contiguous()


def test_negative_view_keeps_its_sign(tmp_path: Path) -> None:
    weight = torch.complex(torch.arange(3.0), torch.arange(1.0, 4.0)).conj().imag  # torch stores 1, 2, 3 and a bit
    torch.save({"state_dict": {"weight": weight}, "settings": Settings()}, tmp_path / "a.ckpt")
    assert read_state_dict(tmp_path / "a.ckpt").tensors["weight"].tolist() == [-1, -2, -3]


def test_state_dict_beside_other_classes(tmp_path: Path) -> None:
    weights = {"encoder.weight": torch.ones(2, 3)}
    settings = Settings(
        latent_dim=3, kept=Kept([1, 2]), path=Path("x"), kind=nn.Linear, names={"a", "b"}, cfg=Outer.Inner()
    )
    settings.more = "text"  # type: ignore[attr-defined]
    torch.save({"state_dict": weights, "hyper_parameters": settings}, tmp_path / "w.ckpt")
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "w.ckpt", weights_only=True)
    found = read_state_dict(tmp_path / "w.ckpt")
    assert torch.equal(found.tensors["encoder.weight"], weights["encoder.weight"])
    assert (found.entry, found.left_out) == ("state_dict", ("hyper_parameters",))
    content = read(tmp_path / "w.ckpt")
    assert isinstance(content, dict)
    assert isinstance(content["hyper_parameters"], Placeholder)
    assert content["hyper_parameters"].name.endswith("test_placeholders.Settings")


def test_nothing_is_imported_or_called(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    torch.save({"state_dict": {"w": torch.ones(2)}, "other": Payload(trap)}, tmp_path / "w.pt")
    assert torch.equal(read_state_dict(tmp_path / "w.pt").tensors["w"], torch.ones(2))
    assert not trap.exists()
    torch.load(tmp_path / "w.pt", weights_only=False)
    assert trap.exists()  # the trap works; it was not sprung

    (tmp_path / "notimported.py").write_text("raise AssertionError('imported')")
    module = types.ModuleType("notimported")
    module.Own = type("Own", (), {"__module__": "notimported"})  # type: ignore[attr-defined]
    sys.modules["notimported"] = module
    try:
        torch.save({"state_dict": {"w": torch.ones(2)}, "other": module.Own()}, tmp_path / "w.pt")
    finally:
        del sys.modules["notimported"]
    assert "w" in read_state_dict(tmp_path / "w.pt").tensors
    assert "notimported" not in sys.modules


def test_tensors_stay_within_their_storage(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(2), "other": Path("x")}, tmp_path / "w.pt")
    with zipfile.ZipFile(tmp_path / "w.pt") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "short.pt", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content[:4] if name.endswith("/data/0") else content)
    with pytest.raises(ValueError, match=r"short\.pt is no state dict that loads safely"):
        read_state_dict(tmp_path / "short.pt")


def test_whole_pickled_model_is_named(tmp_path: Path) -> None:
    torch.save(nn.Sequential(nn.Linear(2, 3)), tmp_path / "model.pt")
    with pytest.raises(ValueError, match=r"a whole pickled torch\.nn\.modules\.container\.Sequential.*state_dict\(\)"):
        read_state_dict(tmp_path / "model.pt")

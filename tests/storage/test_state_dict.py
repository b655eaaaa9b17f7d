"""State dicts of others: found where scripts put them, with or without a prefix, and never executed."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch

from lrx.storage.state_dict import read_state_dict, strip_prefix
from tests.training.test_checkpoint import Payload

WEIGHTS = {"encoder.weight": torch.arange(6.0).view(2, 3), "decoder.bias": torch.ones(2)}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "model"])
def test_pt_file_plain_or_wrapped(tmp_path: Path, wrapper: str | None) -> None:
    torch.save(WEIGHTS if wrapper is None else {"epoch": 3, wrapper: WEIGHTS}, tmp_path / "w.pt")
    assert same(read_state_dict(tmp_path / "w.pt"), WEIGHTS)


def test_safetensors(tmp_path: Path) -> None:
    safetensors.torch.save_file(WEIGHTS, tmp_path / "w.safetensors")
    assert same(read_state_dict(tmp_path / "w.safetensors"), WEIGHTS)
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"cut\.safetensors"):
        read_state_dict(tmp_path / "cut.safetensors")


def test_strip_prefix() -> None:
    assert same(strip_prefix({f"module.{key}": value for key, value in WEIGHTS.items()}, WEIGHTS), WEIGHTS)
    assert same(strip_prefix(WEIGHTS, WEIGHTS), WEIGHTS)
    mixed = {"module.encoder.weight": WEIGHTS["encoder.weight"], "decoder.bias": WEIGHTS["decoder.bias"]}
    assert same(strip_prefix(mixed, WEIGHTS), mixed)


def test_other_files_are_refused(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    for name, content in {
        "list": [1, 2],
        "numbers": {"lr": 0.1},
        "nothing": {},
        "payload": {"w": Payload(trap)},
    }.items():
        torch.save(content, tmp_path / f"{name}.pt")
        with pytest.raises(ValueError, match=rf"weights=.*{name}\.pt .*state dict"):
            read_state_dict(tmp_path / f"{name}.pt")
    assert not trap.exists()
    with pytest.raises(FileNotFoundError):
        read_state_dict(tmp_path / "nowhere.pt")

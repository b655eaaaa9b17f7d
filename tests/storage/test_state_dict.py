"""State dicts of others: found where scripts put them, with or without a prefix, and never executed."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch

from lrx.storage.state_dict import match_names
from lrx.storage.state_dict_file import read_state_dict
from tests.training.test_checkpoint import Payload

WEIGHTS = {"encoder.weight": torch.arange(6.0).view(2, 3), "decoder.bias": torch.ones(2)}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "model"])
def test_pt_file_plain_or_wrapped(tmp_path: Path, wrapper: str | None) -> None:
    torch.save(WEIGHTS if wrapper is None else {"epoch": 3, wrapper: WEIGHTS}, tmp_path / "w.pt")
    assert same(read_state_dict(tmp_path / "w.pt").tensors, WEIGHTS)


def test_safetensors(tmp_path: Path) -> None:
    safetensors.torch.save_file(WEIGHTS, tmp_path / "w.safetensors")
    assert same(read_state_dict(tmp_path / "w.safetensors").tensors, WEIGHTS)
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"cut\.safetensors"):
        read_state_dict(tmp_path / "cut.safetensors")


@pytest.mark.parametrize("prefix", ["module.", "model._orig_mod.", "model.module.", "vae.", "net.vae.module."])
def test_match_names_strips_prefix(prefix: str) -> None:
    assert same(match_names({f"{prefix}{key}": value for key, value in WEIGHTS.items()}, WEIGHTS), WEIGHTS)
    assert same(match_names(WEIGHTS, WEIGHTS), WEIGHTS)


def test_match_names_of_parts_compiled_apart() -> None:
    own = [f"{part}.0.{kind}" for part in ("encoder", "decoder") for kind in ("weight", "bias")]
    theirs = [key.replace("coder.", "coder._orig_mod.") for key in own]
    theirs = [f"model.{key.replace('decoder.', 'decoder.module.')}" for key in theirs]
    assert theirs[2] == "model.decoder.module._orig_mod.0.weight"
    assert list(match_names({key: torch.zeros(1) for key in theirs}, own)) == own


def test_match_names_keeps_own_parts() -> None:
    own = {"model.a": torch.zeros(1), "b.module.c": torch.ones(1)}
    assert same(match_names(own, own), own)
    assert same(match_names({"module.model.a": own["model.a"], "module.b.module.c": own["b.module.c"]}, own), own)
    with pytest.raises(ValueError, match=r"two of its tensors become model\.a"):
        match_names({"a": own["model.a"], "module.a": own["model.a"]}, own)
    extra = {"a": WEIGHTS["decoder.bias"], "other.b": WEIGHTS["decoder.bias"]}
    assert list(match_names(extra, ["a", "c"])) == ["a", "other.b"]  # kept, to be reported as unexpected


def test_key_selects_an_entry(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    twice = {key: 2 * value for key, value in WEIGHTS.items()}
    flat = {f"vae.{key}": value for key, value in WEIGHTS.items()} | {"disc.weight": torch.zeros(1)}
    torch.save({"epoch": 3, "state_dict": flat, "ema": {"shadow": twice}, "generator": {"model": twice}}, path)
    for key, weights, entry in (
        ("vae", WEIGHTS, "state_dict.vae"),
        ("vae.", WEIGHTS, "state_dict.vae"),
        ("state_dict.vae", WEIGHTS, "state_dict.vae"),
        ("ema.shadow", twice, "ema.shadow"),
        ("generator", twice, "generator.model"),
        (None, flat, "state_dict"),
    ):
        found = read_state_dict(path, key)
        assert same(found.tensors, weights)
        assert found.entry == entry
    assert read_state_dict(path, "vae").left_out == ("epoch", "ema", "generator", "disc")
    with pytest.raises(ValueError, match=r"no entry or prefix 'emma'; it has vae, disc"):
        read_state_dict(path, "emma")
    torch.save({"ema": WEIGHTS, "generator": twice}, path)
    with pytest.raises(ValueError, match=r"no tensors under ema, generator; weights_key=ema reads ema"):
        read_state_dict(path)


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

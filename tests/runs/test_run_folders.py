"""Run folders: the same config resumes, another one is refused, and some keys are free."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrx.core.checksum import sha256
from lrx.runs import run_folder


def as_yaml(**keys: str) -> str:
    return "".join(f"{key}: {value}\n" for key, value in keys.items())


def test_same_config_is_accepted(tmp_path: Path) -> None:
    flat = {"seed": "1"}
    run_folder.check_same(tmp_path, flat)
    assert not list(tmp_path.iterdir())  # to look leaves nothing behind
    run_folder.write_config(tmp_path, "seed: 1\n")
    run_folder.check_same(tmp_path, flat)
    assert run_folder.stored_identity(tmp_path, flat) == run_folder.identity(flat) == {"seed": "1"}


def test_differences_are_listed_with_both_values(tmp_path: Path) -> None:
    run_folder.write_config(tmp_path, as_yaml(seed="1", lr="0.1", old="x"))
    with pytest.raises(ValueError, match="another config") as caught:
        run_folder.check_same(tmp_path, {"seed": "2", "lr": "0.1", "new": "y"})
    for words in ("seed (was 1, now 2)", "new (was not there, now y)", "old (was x, now not there)"):
        assert words in str(caught.value)
    assert "lr (" not in str(caught.value)


def test_free_keys_may_change(tmp_path: Path) -> None:
    run_folder.write_config(tmp_path, as_yaml(**dict.fromkeys(run_folder.FREE, "before"), seed="1"))
    after = {**dict.fromkeys(run_folder.FREE, "after"), "trust.0": "mine", "seed": "1"}
    run_folder.check_same(tmp_path, after)
    assert run_folder.identity(after) == {"seed": "1"}


def test_missing_key_equals_key_that_is_off(tmp_path: Path) -> None:
    run_folder.write_config(tmp_path, as_yaml(seed="1", gone="null"))
    now = {"seed": "1", "new": "None", "flag": "False"}
    run_folder.check_same(tmp_path, now)
    assert run_folder.stored_identity(tmp_path, now) == {"gone": "None", "seed": "1"}
    assert run_folder.stored_identity(tmp_path / "empty", now) == run_folder.identity(now) == now
    for on in (
        {"seed": "1", "new": "True"},
        {"seed": "1", "new": "0"},
        {"seed": "1", "gone": "False"},
        {"gone": "None"},
    ):
        with pytest.raises(ValueError, match="another config"):
            run_folder.check_same(tmp_path, on)


def test_flat_config_of_lists(tmp_path: Path) -> None:
    run_folder.write_config(tmp_path, "model: {beta: 4.0, betas: [1, [x]], empty: {}, of: '${seed}'}\n")
    flat = {"model.beta": "4.0", "model.betas.0": "1", "model.betas.1.0": "x", "model.of": "${seed}"}
    assert run_folder.read_flat(tmp_path) == flat


def test_fingerprint_is_of_sorted_lines() -> None:
    assert run_folder.fingerprint({"b": "2", "a": "1"}) == sha256("a=1\nb=2")
    assert run_folder.fingerprint({"a": "1"}, {"ckpt": "x"}) == sha256("a=1\n[('ckpt', 'x')]")


def test_auto_equals_the_value_that_it_stands_for(tmp_path: Path) -> None:
    auto = {"kind": lambda: "bernoulli"}
    run_folder.write_config(tmp_path, as_yaml(kind="bernoulli"))
    run_folder.check_same(tmp_path, {"kind": "auto"}, auto)
    for now in ({"kind": "gaussian"}, {"other": "1"}):
        with pytest.raises(ValueError, match=r"kind .was bernoulli"):
            run_folder.check_same(tmp_path, now, auto)
    with pytest.raises(ValueError, match=r"kind .was bernoulli, now auto"):
        run_folder.check_same(tmp_path, {"kind": "auto"})
    run_folder.write_config(tmp_path, as_yaml(kind="auto"))
    run_folder.check_same(tmp_path, {"kind": "bernoulli"}, auto)
    with pytest.raises(ValueError, match=r"kind .was auto, now gaussian"):
        run_folder.check_same(tmp_path, {"kind": "gaussian"}, auto)


def test_settings_that_came_later_are_no_difference(tmp_path: Path) -> None:
    before = {"dataset._target_": "lrx.data.folder.folder", "dataset.path": "pictures"}
    (tmp_path / "config.yaml").write_text("dataset: {_target_: lrx.data.folder.folder, path: pictures}\n")
    later = {"dataset.background": "white", "dataset.frames": "first", "dataset.labels": "auto"}
    run_folder.check_same(tmp_path, before | later)
    with pytest.raises(ValueError, match=r"dataset\.frames \(was first, now all\)"):
        run_folder.check_same(tmp_path, before | later | {"dataset.frames": "all"})

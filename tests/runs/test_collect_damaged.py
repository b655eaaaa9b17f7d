"""`lrx collect` over damaged run folders: a line for each, and all others whole."""

from __future__ import annotations

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from lrx.runs import status
from lrx.storage import results
from tests.runs.test_collect import collect, opened, result, table, write_run
from tests.runs.test_table_hdf5 import with_all


def damage_result(folder: Path, kind: str) -> None:
    """Damage the result of a run folder in one way."""
    file = folder / "paper/result.h5"
    whole = file.read_bytes()
    secret = folder.parent.parent / "secret.h5"
    results.write(secret, result(99.0), {})
    if kind == "truncated":
        file.write_bytes(whole[: len(whole) // 2])
    elif kind == "foreign":
        file.write_bytes(b"no HDF5")
    elif kind == "empty":
        file.write_bytes(b"")
    elif kind == "not of lrx":
        with h5py.File(file, "w") as other:
            other["x"] = 1
    elif kind in ("external link", "soft link", "external storage", "virtual"):
        with h5py.File(file, "r+") as damaged:
            group = damaged["response_matrix"]
            if kind == "external link":
                group["stolen"] = h5py.ExternalLink(str(secret), "/response_matrix/gap")
            elif kind == "soft link":
                group["stolen"] = h5py.SoftLink("/response_matrix/gap")
            elif kind == "external storage":
                group.create_dataset("stolen", (3,), "f8", external=[(str(secret), 0, 24)])
            else:
                layout = h5py.VirtualLayout((2, 2), "f8")
                layout[:] = h5py.VirtualSource(str(secret), "response_matrix/matrix", (2, 2))
                group.create_virtual_dataset("stolen", layout)
    elif kind == "external group":
        with h5py.File(file, "r+") as damaged:
            damaged["metrics"] = h5py.ExternalLink(str(secret), "/response_matrix")
    elif kind == "links out of the tree":
        file.unlink()
        file.symlink_to(secret)
    elif kind == "a pipe":
        file.unlink()
        os.mkfifo(file)
    elif kind == "a folder":
        file.unlink()
        file.mkdir()
    elif kind == "a dangling link":
        file.unlink()
        file.symlink_to(folder / "paper/nothing")


KINDS = {
    "truncated": "not a readable results file",
    "foreign": "not a readable results file",
    "empty": "not a readable results file",
    "not of lrx": "`format` is not lrx-results-1",
    "external link": "stolen leads elsewhere",
    "soft link": "stolen leads elsewhere",
    "external storage": "stolen leads elsewhere",
    "virtual": "stolen leads elsewhere",
    "external group": "metrics leads elsewhere",
    "links out of the tree": "is a link that leads out of",
    "a pipe": "result.h5 is no plain file",
    "a folder": "result.h5 is no plain file",
    "a dangling link": "result.h5: no such file",
}


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_result_is_one_line(tmp_path: Path, kind: str) -> None:
    write_run(tmp_path / "s/good", assays=result(0.5))
    damage_result(write_run(tmp_path / "s/bad", seed=1, assays=result(0.7)), kind)
    rows = {row.run: row for row in collect(tmp_path / "s", tmp_path / "out.h5")}
    assert rows.keys() == {"good", "bad"}
    assert rows["bad"].error.startswith("paper: ")
    assert KINDS[kind] in rows["bad"].error
    assert "\n" not in rows["bad"].error
    data = opened(tmp_path / "out.h5", "response_matrix").gap
    assert data.sel(run="good") == 0.5
    assert np.isnan(data.sel(run="bad"))
    assert opened(tmp_path / "out.h5").seed.sel(run="bad") == 1


def test_damaged_text_files_are_one_line_each(tmp_path: Path) -> None:
    top = tmp_path / "s"
    write_run(top / "good")
    bomb = "a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\n"
    configs = {
        "bomb": bomb,
        "deep": "a: " + "[" * 20_000,
        "list": "- 1\n- 2\n",
        "tag": "a: !!python/object/apply:os.system [true]\n",
        "bytes": b"\xff\xfe\x00",
        "huge": "a: " + "x" * 2**20,
    }
    for name, content in configs.items():
        path = write_run(top / name) / "config.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    states = {"nothing": "", "deeper": "[" * 200_000, "kinds": '{"state": "done", "rate": "fast"}', "other": "{}"}
    states["infinite"] = '{"state": "running", "seconds_left": Infinity}'
    for name, content in states.items():
        (write_run(top / name) / "status.json").write_text(content)
    (write_run(top / "escape") / "status.json").write_text(
        json.dumps({"state": "failed", "error": "\x1b[2Jbad\nworse", "overrides": ["seed=\x00"]})
    )
    for name, line in (("no-object", "[1]"), ("no-number", '{"loss": "low"}'), ("overflow", f'{{"loss": {10**400}}}')):
        (write_run(top / name) / "metrics.jsonl").write_text(f'{{"step": 1, "loss": 2.0}}\n{line}\n')
    rows = {row.run: row for row in collect(top, tmp_path / "out.h5")}
    assert rows.keys() == {"good", *configs, *states, "escape", "no-object", "no-number", "overflow"}
    for name in configs:
        assert "config.yaml" in rows[name].error
        assert rows[name].state == "done"
    for name in states:
        assert (rows[name].state, rows[name].error) == ("unknown", "status.json is not one of lrx")
    assert rows["escape"].error == "?[2Jbad worse"
    assert all(rows[name].scores["train"]["loss"] == 2.0 for name in ("no-object", "no-number", "overflow"))
    assert opened(tmp_path / "out.h5").sizes["run"] == len(rows)


def test_too_many_keys_are_dropped_and_counted(tmp_path: Path) -> None:
    top = tmp_path / "s"
    write_run(top / "good", assays=result(0.5))
    write_run(top / "many", seed=1)
    words = ("x" * 10_000 + "=1", "two\nlines=1", *(f"key{number}=1" for number in range(1200)))
    status.write(top / "many", status.Status("done", "train", words))
    (write_run(top / "wide", seed=2) / "config.yaml").write_text("".join(f"k{number}: 1\n" for number in range(20_000)))
    (write_run(top / "loud", seed=3) / "status.json").write_text(json.dumps({"state": "failed", "error": "e" * 10**5}))
    (write_run(top / "far", seed=4) / "status.json").write_text(json.dumps({"state": "running", "step": 10**400}))
    names = write_run(top / "names", seed=5, assays=result(0.5))
    with h5py.File(names / "paper/result.h5", "r+") as file:
        file["response_matrix/" + "y" * 10_000] = 1.0
    rows = {row.run: row for row in collect(top, tmp_path / "out.h5")}
    columns = list(table(tmp_path / "out.csv")["good"])
    assert len([name for name in columns if name.startswith("key")]) < 1000
    assert max(map(len, columns)) < 100
    assert rows["good"].error == ""
    assert rows["many"].error.startswith("dropped 2")  # 1,000 columns are taken, among them those of the others
    assert rows["wide"].error == "config.yaml has 20,001 keys; at most 10,000"
    assert rows["loud"].error.endswith("eee... (100,000 letters)")
    assert (rows["far"].state, rows["far"].error) == ("unknown", "status.json is not one of lrx")
    assert "longer than 200 characters" in rows["names"].error


@pytest.mark.parametrize("text", ["!!timestamp x", "!!bool x", "!!int ''", "!!float ''", "9" * 5000, "{? [1]: 2}"])
def test_invalid_yaml_values_are_one_line(tmp_path: Path, text: str) -> None:
    (write_run(tmp_path / "a") / "config.yaml").write_text(f"a: {text}\n")
    (row,) = collect(tmp_path, tmp_path / "out.h5")
    assert row.error.startswith("config.yaml is damaged (")


def test_random_damage_costs_at_most_its_run(tmp_path: Path) -> None:
    """Files cut, or with bytes changed or put in; the good runs are all there, ranked against each other."""
    random, top = np.random.default_rng(0), tmp_path / "s"
    files = ("config.yaml", "status.json", "metrics.jsonl", "paper/config.yaml", "paper/status.json", "paper/result.h5")
    for seed in range(2):
        write_run(top / f"good{seed}", seed=seed, assays=with_all(seed))
    for number in range(60):
        path = write_run(top / f"bad{number}", seed=number + 2, assays=with_all(number)) / files[number % len(files)]
        content = bytearray(path.read_bytes())
        place = int(random.integers(len(content)))
        foreign = random.integers(0, 256, int(random.integers(1, 20)), dtype=np.uint8).tobytes()
        kind = number // len(files) % 3
        content[place:] = b"" if kind == 0 else foreign + content[place + (len(foreign) if kind == 1 else 0) :]
        path.write_bytes(content)
    rows = {row.run: row for row in collect(top, tmp_path / "out.h5")}
    for seed in range(2):
        good = rows[f"good{seed}"]
        assert (good.state, good.error, good.training["seed"]) == ("done", "", seed)
        assert good.scores["response_matrix"] == {"gap": 0.5, "gap_se": 0.05}
        assert good.scores["udr"]["num_partners"] >= 1
    assert {f"bad{number}" for number in range(60)} <= rows.keys()
    assert opened(tmp_path / "out.h5").sizes["run"] == len(table(tmp_path / "out.csv")) == len(rows)

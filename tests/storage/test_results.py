from __future__ import annotations

import math
import pickle
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import xarray as xr

from lrx.core.types import Array, AssayResult
from lrx.storage import results
from lrx.storage.result_group import read_attributes
from lrx.storage.result_scan import MOST_MEMBERS, scan

PROVENANCE: dict[str, str | int | float] = {
    "model": "betavae",
    "dataset": "3dshapes",
    "dataset_fingerprint": "f00d",
    "checkpoint_sha256": "abc",
    "seed": 7,
    "wall_time_s": 1.5,
    "config": "name: ä\n" * 20_000,  # longer than the 64 kB of an HDF5 header
}


def sample(scale: float = 1.0) -> AssayResult:
    """Factors by latents, with text labels, a large array, every kind of setting."""
    matrix = scale * np.arange(6, dtype=np.float64).reshape(2, 3)
    return AssayResult(
        arrays={
            "matrix": Array(matrix, ("factor", "latent"), "latent", "how far each latent moves"),
            "used": Array(np.array([1, 0, 1], dtype=np.uint8), ("latent",)),
            "images": Array(np.random.default_rng(0).random((3, 100, 100), np.float32), ("latent", "row", "column")),
            "kinds": Array(np.array(["größe", "farbe"]), ("factor",)),
        },
        coordinates={"factor": np.array(["wall hue", "größe"]), "latent": np.arange(3)},
        scores={"cds": 0.25, "undefined": math.nan},
        settings={"base": "prior", "num_samples": 12, "target_se": None, "reached": True, "missed": False, "x": 0.5},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "result.h5"


def same(one: AssayResult, other: AssayResult) -> None:
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        stored = other.arrays[name]
        assert np.array_equal(array.values, stored.values)
        assert array.values.dtype.kind == stored.values.dtype.kind
        assert (array.axes, array.unit, array.description or name) == (stored.axes, stored.unit, stored.description)
    for axis, labels in one.coordinates.items():
        assert np.array_equal(labels, other.coordinates[axis])
    np.testing.assert_equal(dict(one.scores), dict(other.scores))
    assert dict(one.settings) == dict(other.settings)
    assert {key: type(value) for key, value in one.settings.items()} == {
        key: type(value) for key, value in other.settings.items()
    }


def test_round_trip(path: Path) -> None:
    results.write(path, {"conditioned": sample()}, PROVENANCE)
    stored = results.read(path)
    assert dict(stored.provenance) == PROVENANCE
    assert dict(stored.provenance_of["conditioned"]) == PROVENANCE
    same(sample(), stored.assays["conditioned"])
    assert stored.assays["conditioned"].coordinates["row"].tolist() == list(range(100))  # counted where not named


def test_xarray_opens_arrays_scores_and_settings(path: Path) -> None:
    results.write(path, {"conditioned": sample()}, PROVENANCE)
    with xr.open_dataset(path, engine="h5netcdf", group="conditioned") as opened:
        assert opened["matrix"].dims == ("factor", "latent")
        assert opened["matrix"].sel(factor="größe", latent=2).item() == 5
        assert opened["matrix"].attrs["display_units"] == "latent"
        assert opened["matrix"].attrs["long_name"] == "how far each latent moves (latent)"
        assert opened["kinds"].sel(factor="wall hue").item() == "größe"
        assert opened["cds"].item() == 0.25
        assert opened.attrs["num_samples"] == 12
        assert opened.attrs["target_se"] == "null"
        assert set(opened.coords) == {"factor", "latent", "row", "column"}
    with xr.open_dataset(path, engine="h5netcdf") as root:
        assert root.attrs["checkpoint_sha256"] == "abc"
        assert root.attrs["config"] == PROVENANCE["config"]


def test_second_assay_is_added_and_repeat_replaces(path: Path) -> None:
    results.write(path, {"one": sample(1)}, PROVENANCE)
    results.write(path, {"two": sample(2)}, {**PROVENANCE, "wall_time_s": 3.0})
    results.write(path, {"one": sample(3)}, {**PROVENANCE, "wall_time_s": 4.0})
    stored = results.read(path)
    same(sample(3), stored.assays["one"])
    same(sample(2), stored.assays["two"])
    assert stored.provenance["wall_time_s"] == stored.provenance_of["one"]["wall_time_s"] == 4
    assert stored.provenance_of["two"]["wall_time_s"] == 3
    for name, expected in (("one", 15), ("two", 10)):
        with xr.open_dataset(path, engine="h5netcdf", group=name) as opened:
            assert opened["matrix"].sel(factor="größe", latent=2).item() == expected
    assert [entry.name for entry in path.parent.iterdir()] == ["result.h5"]


def test_assays_of_one_write_are_atomic(path: Path) -> None:
    results.write(path, {"kept": sample(1)}, PROVENANCE)
    unwritable = AssayResult({"x": Array(np.ones(2, dtype=complex), ("latent",))}, {})
    with pytest.raises(ValueError, match="complex"):
        results.write(path, {"one": sample(2), "two": unwritable}, PROVENANCE)
    assert list(results.read(path).assays) == ["kept"]
    results.write(path, {"one": sample(2), "two": sample(3)}, PROVENANCE)
    assert set(results.read(path).assays) == {"kept", "one", "two"}


@pytest.mark.parametrize("key", ["checkpoint_sha256", "dataset_fingerprint"])
def test_file_of_another_run_is_refused(path: Path, key: str) -> None:
    results.write(path, {"one": sample()}, PROVENANCE)
    with pytest.raises(ValueError, match=f"holds results of {key} .*, not other: one file holds one run"):
        results.write(path, {"two": sample()}, {**PROVENANCE, key: "other"})
    assert list(results.read(path).assays) == ["one"]


def test_only_large_arrays_are_compressed(path: Path) -> None:
    results.write(path, {"conditioned": sample()}, PROVENANCE)
    with h5py.File(path) as file:
        images, matrix = file["conditioned/images"], file["conditioned/matrix"]
        assert (images.compression, images.compression_opts, images.shuffle) == ("gzip", 4, True)
        assert matrix.compression is None


def test_unsupported_types_are_refused(path: Path) -> None:
    flags = AssayResult({"flag": Array(np.array([True, False]), ("latent",))}, {})
    results.write(path, {"flags": flags}, {})
    assert results.read(path).assays["flags"].arrays["flag"].values.dtype == np.uint8
    for dtype in (np.float16, np.complex64):
        wrong = AssayResult({"wrong": Array(np.ones(2, dtype), ("latent",))}, {})
        with pytest.raises(ValueError, match=f"flags/wrong is {np.dtype(dtype)}; HDF5 tools share"):
            results.write(path, {"flags": wrong}, {})
    assert list(results.read(path).assays["flags"].arrays) == ["flag"]  # the old file is whole


def test_inconsistent_names_and_sizes_are_refused(path: Path) -> None:
    ones = np.ones(2)
    clash = AssayResult({"latent": Array(ones, ("latent",))}, {})
    with pytest.raises(ValueError, match="need distinct names"):
        results.write(path, {"a": clash}, {})
    sizes = AssayResult({"x": Array(ones, ("latent",)), "y": Array(np.ones(3), ("latent",))}, {})
    with pytest.raises(ValueError, match="latent of /a has different sizes"):
        results.write(path, {"a": sizes}, {})
    labels = AssayResult({"x": Array(ones, ("latent",))}, {"latent": np.arange(3)})
    with pytest.raises(ValueError, match=r"latent of /a has 2 places and labels of shape \(3,\)"):
        results.write(path, {"a": labels}, {})
    word = AssayResult({"x": Array(ones, ("latent",))}, {}, settings={"base": "null"})
    with pytest.raises(ValueError, match="cannot be the word 'null'"):
        results.write(path, {"a": word}, {})
    assert list(path.parent.iterdir()) == []


def test_foreign_files_are_refused_in_one_line(path: Path) -> None:
    results.write(path, {"one": sample()}, PROVENANCE)
    whole = path.read_bytes()
    contents = {"cut": whole[: len(whole) // 2], "empty": b"", "text": b"hello"}
    for name, content in contents.items():
        (path.parent / name).write_bytes(content)
    with h5py.File(path.parent / "foreign", "w") as file:
        file["x"] = 1
    with pytest.raises(ValueError, match="missing cannot be opened: no such file or directory"):
        results.read(path.parent / "missing")
    for name in (*contents, "foreign"):
        with pytest.raises(ValueError, match=f"{name} is not a readable results file of lrx") as error:
            results.read(path.parent / name)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="text is not a readable results file"):
        results.write(path.parent / "text", {"one": sample()}, PROVENANCE)
    assert (path.parent / "text").read_bytes() == b"hello"


@pytest.mark.parametrize("kind", ["soft", "external", "virtual", "raw"])
def test_links_are_not_followed(path: Path, kind: str) -> None:
    secret = path.parent / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.arange(3.0)
    (path.parent / "secret.bin").write_bytes(b"\0" * 24)
    results.write(path, {"one": sample()}, PROVENANCE)
    with h5py.File(path, "r+") as file:
        if kind == "soft":
            file["one/stolen"] = h5py.SoftLink("/one/matrix")
        elif kind == "external":
            file["one/stolen"] = h5py.ExternalLink(str(secret), "/x")
        elif kind == "virtual":
            layout = h5py.VirtualLayout((3,), "f8")
            layout[:] = h5py.VirtualSource(str(secret), "x", (3,))
            file["one"].create_virtual_dataset("stolen", layout)
        else:
            storage = [(str(path.parent / "secret.bin"), 0, 24)]
            file["one"].create_dataset("stolen", (3,), "f8", external=storage)
    with pytest.raises(ValueError, match="/one/stolen leads elsewhere"):
        results.read(path)


# HDF5's own calls on such attributes may abort the process, so that another one than ours reads
DAMAGE = """
import sys
import h5py, numpy as np
from lrx.storage import results
from lrx.storage.result_group import read_attributes
from lrx.storage.result_scan import MOST_MEMBERS, scan

path = sys.argv[1]
kinds = {
    "number": np.int32(1),
    "numbers": np.arange(3),
    "words": np.array([b"DIMENSION_SCALE", b"x"]),
    "other": "TABLE",
    "empty": h5py.Empty("S16"),
    "bytes": np.void(bytes([255, 254])),
    "none": None,
}
for kind, value in kinds.items():
    with h5py.File(path, "r+") as file:
        attributes = file["one/latent"].attrs
        attributes.pop("CLASS", None)
        if value is not None:
            attributes["CLASS"] = value
    try:
        results.read(path)
    except ValueError as error:
        print(f"{kind}: {error}")
"""


def test_foreign_dimension_scale_is_one_error(path: Path) -> None:
    results.write(path, {"one": sample()}, PROVENANCE)
    done = subprocess.run(
        [sys.executable, "-c", DAMAGE, str(path)], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    kinds = ["number", "numbers", "words", "other", "empty", "bytes", "none"]
    for kind, line in zip(kinds, lines, strict=True):
        assert line.startswith(f"{kind}: {path} is not a readable results file of lrx: ")


def test_attributes_of_every_kind(path: Path) -> None:
    """Text and numbers as python has them, however a tool stores one value; others are named."""
    kinds = {
        "text": ("größe", "größe"),
        "bytes of a fixed length": (np.bytes_(b"abc"), "abc"),
        "text of a fixed length": (np.array("größe".encode(), "S7"), "größe"),
        "text in an array": (np.array(["one"], h5py.string_dtype()), "one"),
        "damaged": (np.array(b"gr\xf6", h5py.string_dtype()), "gr\N{REPLACEMENT CHARACTER}"),
        "empty": ("", ""),
        "integer": (np.int16(-3), -3),
        "big-endian": (np.array(2**40, ">i8"), 2**40),
        "unsigned": (np.uint64(2**64 - 1), 2**64 - 1),
        "float": (np.float32(0.5), 0.5),
        "number in an array": (np.array([[7]]), 7),
        "boolean": (True, True),
    }
    foreign = {"numbers": np.arange(3), "nothing": h5py.Empty("f8"), "complex": 1j}
    with h5py.File(path, "w") as file:
        file.attrs.update({key: stored for key, (stored, _) in kinds.items()} | foreign)
        values, others = read_attributes(file)
    assert values == {key: value for key, (_, value) in kinds.items()}
    assert [type(value) for value in values.values()] == [type(kinds[key][1]) for key in values]
    assert others == [f"attribute {key} of /" for key in sorted(foreign)]


def test_scan_passes_over_what_no_table_holds(path: Path) -> None:
    """Numbers of any length, references, and compounds; whether or not they claim to be labels of an axis."""
    results.write(path, {"metrics": AssayResult({}, {}, {"mig": 0.5})}, {})
    with h5py.File(path, "a") as file:
        group = file["metrics"]
        for name, dtype in (("ragged", h5py.vlen_dtype("i4")), ("refs", h5py.ref_dtype), ("pairs", np.dtype("i4,f8"))):
            group.create_dataset(name, (2,), dtype=dtype)
            group.create_dataset(f"{name}_axis", (2,), dtype=dtype).attrs["CLASS"] = "DIMENSION_SCALE"
        group["ragged_axis"][0] = [1, 2]
    (scanned,) = scan(path)[0].values()
    assert (dict(scanned.scores), dict(scanned.members)) == ({"mig": 0.5}, {})
    pickle.dumps(scanned)


@pytest.mark.parametrize("where", ["/", "metrics"])
def test_scan_refuses_files_of_too_many_parts(path: Path, where: str) -> None:
    results.write(path, {"metrics": AssayResult({}, {}, {"mig": 0.5})}, {})
    with h5py.File(path, "a") as file:
        for number in range(MOST_MEMBERS):
            file[where][f"link{number}"] = h5py.SoftLink("/metrics/mig")
    with pytest.raises(ValueError, match="it has more than 2,000 parts"):
        scan(path)


def test_text_of_both_character_sets_in_any_order(tmp_path: Path) -> None:
    texts = {"ascii": [b"ab\0c", b"x"], "utf-8": [b"ab\0c", b"y"]}
    for encoding, values in texts.items():
        path = tmp_path / f"{encoding}.h5"
        results.write(path, {"metrics": AssayResult({}, {}, {"mig": 0.5})}, {})
        with h5py.File(path, "a") as file:
            file["metrics/names"] = np.array(values, h5py.string_dtype(encoding, 4))
            file["metrics/names"].attrs["CLASS"] = "DIMENSION_SCALE"
    for encoding in ("ascii", "utf-8", "ascii"):
        (scanned,) = scan(tmp_path / f"{encoding}.h5")[0].values()
        assert scanned.members["names"].tolist() == texts[encoding]


def test_environment() -> None:
    versions = results.environment()
    assert versions.pop("threads") == torch.get_num_threads()
    assert versions.keys() == {"lrx", "torch", "numpy", "python", "git_commit"}
    assert all(type(value) is str and value for value in versions.values())

"""`lrx collect` over seeds: aligned arrays, scores with both errors, and which runs are one group."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from lrx.core.types import Array, AssayResult
from lrx.runs import status
from lrx.runs.collect import collect
from lrx.runs.seeds_table import SEEDS_START
from lrx.storage import results
from tests.runs.test_over_seeds import CODES_ND, CONDITIONED_FD, KL_D, MATRIX_DD, D, model

OLD = "lrx.assays.response_matrix.response_matrix\n  _partial_: true"
NEW = "lrx.assays.response_matrix.assay.Settings"


def write_run(
    folder: Path,
    seed: int,
    assays: dict[str, AssayResult],
    *,
    model_lines: str = "beta: 1.0",
    target: str = NEW,
    **facts: str | int,
) -> None:
    """A training with its results in paper/, measured by an assay of its own checkpoint."""
    folder.mkdir(parents=True)
    config = f"name: x\nseed: {seed}\nmodel:\n  {model_lines}\n"
    (folder / "config.yaml").write_text(config)
    status.write(folder, status.Status("done", "train", (f"seed={seed}",)))
    (folder / "paper").mkdir()
    own = f"ckpt: {folder}\nname: p{seed}\nseed: 0\ndevice: auto\nassay:\n  _target_: {target}\n  num_samples: 16\n"
    (folder / "paper/config.yaml").write_text(own)
    status.write(folder / "paper", status.Status("done", "assay"))
    provenance = {"checkpoint_config": config, "trained_steps": 10, "dataset_fingerprint": "f", **facts}
    results.write(folder / "paper/result.h5", assays, provenance)


def orders(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(7)
    return [np.arange(D), *(random.permutation(D) for _ in range(count - 1))]


def test_permuted_copies_in_both_files(tmp_path: Path) -> None:
    for beta in ("1.0", "4.0"):
        for seed, order in enumerate(orders(3)):
            one = model(seed, order, remark="dead" if (beta, seed) == ("4.0", 2) else None)
            write_run(tmp_path / "s" / f"{beta}-{seed}", seed, dict(one.assays), model_lines=f"beta: {beta}")
    _, groups = collect(tmp_path / "s", tmp_path / "out.h5")
    assert [group.label for group in groups] == ["beta 1.0", "beta 4.0"]
    with xr.open_datatree(tmp_path / "out.h5", engine="h5netcdf") as tree:
        over = tree["over_seeds"].load()
    assert over.group.values.tolist() == ["beta 1.0", "beta 4.0"]
    assert over.num_seeds.values.tolist() == [3, 3]
    assert over.remark.values.tolist() == ["", "response_matrix: 4.0-2"]
    matrix = over["response_matrix"]
    for place in range(2):
        np.testing.assert_allclose(matrix.matrix.values[place], MATRIX_DD, rtol=1e-12)
        np.testing.assert_allclose(matrix.matrix_se_within.values[place], 0.1 / np.sqrt(3))
        np.testing.assert_allclose(matrix.matrix_se_between.values[place], 0, atol=1e-12)
        np.testing.assert_allclose(matrix.kl.values[place], KL_D)
        np.testing.assert_allclose(over["conditioned_response"].matrix.values[place], CONDITIONED_FD)
    cds = over["conditioned_response"].cds.sel(group="beta 4.0").item()
    assert cds == pytest.approx(0.6)
    aligned = over["alignment"].ds
    for run, latent, sign in zip(aligned.model.values, aligned.latent.values, aligned.sign.values, strict=True):
        stored = results.read(tmp_path / "s" / run / "paper/result.h5").assays["codes"].arrays["codes"].values
        reference = results.read(tmp_path / "s" / f"{run[:3]}-0" / "paper/result.h5").assays["codes"].arrays["codes"]
        np.testing.assert_allclose(stored[:, latent] * sign, reference.values)
    with (tmp_path / "out-seeds.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["group"], first["runs"], first["reference"]) == ("beta 1.0", "1.0-0; 1.0-1; 1.0-2", "1.0-0")
    assert (first["alignment"], first["model.beta"]) == ("codes of 200 images", "1.0")
    assert float(second["agreement"]) == pytest.approx(1, rel=1e-12)
    for name, value in (("", 0.6), ("_se_within", 0.03 / 3**0.5), ("_se_between", 0.1 / 3**0.5), ("_num_seeds", 3)):
        assert float(first[f"conditioned_response.cds{name}"]) == pytest.approx(value)


def test_groups_of_other_sizes_share_labels(tmp_path: Path) -> None:
    """Two latents and five, and other factors: NaN where a group lacks a latent or a factor."""
    latents = np.arange(2)
    for seed in range(2):
        write_run(tmp_path / "s" / f"five-{seed}", seed, dict(model(seed, np.arange(D)).assays))
        small = {
            "conditioned_response": AssayResult(
                {"matrix": Array(np.eye(2), ("factor", "latent"), "latent")},
                {"factor": np.array(["hue", "x"]), "latent": latents},
                {"cds": 1.0},
            )
        }
        write_run(tmp_path / "s" / f"two-{seed}", seed, small, model_lines="beta: 2.0")
    collect(tmp_path / "s", tmp_path / "out.h5")
    with xr.open_dataset(tmp_path / "out.h5", engine="h5netcdf", group="over_seeds/conditioned_response") as data:
        matrix = data.matrix.load()
    assert matrix.factor.values.tolist() == ["shape", "size", "x", "hue"]
    assert matrix.latent.values.tolist() == [*range(D)]
    five, two = matrix.values
    np.testing.assert_allclose(five[:3], CONDITIONED_FD)
    np.testing.assert_allclose(two[[3, 2]][:, :2], np.eye(2))
    assert (np.isnan(five).sum(), np.isnan(two).sum()) == (D, 4 * D - 4)
    with xr.open_dataset(tmp_path / "out.h5", engine="h5netcdf", group="over_seeds/alignment") as data:
        assert data.latent.values.tolist() == [[*range(D)]] * 2 + [[0, 1, -1, -1, -1]] * 2


@pytest.mark.parametrize(
    ("first", "second", "apart"),
    [
        ({"model_lines": "reconstruction: bernoulli", "target": OLD}, {"model_lines": "reconstruction: auto"}, False),
        ({"model_lines": "reconstruction: gaussian"}, {"model_lines": "reconstruction: auto"}, True),
        ({"model_lines": "beta: 1.0"}, {"model_lines": "beta: 1.0\n  later: null\n  switch: false"}, False),
        ({"model_lines": "beta: 1.0"}, {"model_lines": "beta: 1.0\n  later: 3"}, True),
        ({"trained_steps": 10}, {"trained_steps": 20}, True),
        ({"dataset_fingerprint": "f"}, {"dataset_fingerprint": "g"}, True),
    ],
)
def test_which_runs_are_one_group(tmp_path: Path, first: dict, second: dict, apart: bool) -> None:  # type: ignore[type-arg]
    for seed, facts in enumerate((first, second)):
        facts.setdefault("reconstruction", "bernoulli")
        write_run(tmp_path / "s" / f"{seed}", seed, dict(model(seed, np.arange(D)).assays), **facts)
    rows, groups = collect(tmp_path / "s", tmp_path / "out.h5")
    assert len(groups) == (0 if apart else 1)
    if "reconstruction: auto" in second.get("model_lines", ""):
        assert rows[1].training["model.reconstruction"] == "bernoulli"
        assert [row.scores["udr"]["num_partners"] for row in rows] == ([0, 0] if apart else [1, 1])


def test_no_seeds_leave_the_head_alone(tmp_path: Path) -> None:
    write_run(tmp_path / "s/a", 0, dict(model(0, np.arange(D)).assays))
    _, groups = collect(tmp_path / "s", tmp_path / "out.h5")
    assert groups == []
    text = (tmp_path / "out-seeds.csv").read_text()
    assert text.startswith(SEEDS_START)
    collect(tmp_path / "s", tmp_path / "out.h5")  # which replaces its own table, and no other one
    (tmp_path / "out-seeds.csv").write_text("my notes")
    with pytest.raises(ValueError, match=r"out-seeds.csv is there and lrx did not write it"):
        collect(tmp_path / "s", tmp_path / "out.h5")
    assert text.split() == ["group,num_seeds,runs,repeated_seeds,remark,alignment,reference,agreement"]


def test_codes_are_stored_as_float32(tmp_path: Path) -> None:
    """Signs and order of codes are found in the precision in which the assay stores them."""
    for seed, order in enumerate(orders(2)):
        codes = {"codes": Array(CODES_ND[:, order].astype(np.float32), ("image", "latent"))}
        labels = {"image": np.arange(len(CODES_ND)), "latent": np.arange(D)}
        write_run(tmp_path / "s" / f"{seed}", seed, {"codes": AssayResult(codes, labels, {})})
    _, (group,) = collect(tmp_path / "s", tmp_path / "out.h5")
    assert group.summary.agreement == pytest.approx(1)

"""`assay=paper` that is refused in part, or interrupted: what was measured stays, and the rest is measured later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lrx.assays import catalog
from lrx.storage import results
from tests.conftest import Lrx

pytestmark = pytest.mark.usefixtures("without_pictures")

PAPER = ["assay", "assay=paper", "assay.assays.response_matrix.num_samples=16"]


def test_refused_assay_is_a_remark(lrx: Lrx, tmp_path: Path) -> None:
    np.savez(tmp_path / "flat.npz", images=np.full((20, 64, 64, 1), 77, np.uint8))
    words = ["dataset=arrays", "dataset.path=flat.npz", "trainer.steps=1", "trainer.batch_size=4", "name=flat"]
    words += ["network=mlp", "network.hidden=[8]", "latent_dim=2"]
    assert lrx("train", *words).returncode == 0
    only = "assay.only=[reconstruction,generation,response_matrix]"
    done = lrx(*PAPER, "ckpt=outputs/train/flat", only, "name=all")
    assert done.returncode == 0
    reason = "not measured: images that are all equal have no principal components"
    assert f"lrx: warning: generation: {reason}\n" in done.stderr
    stored = results.read(tmp_path / "outputs/assay/all/result.h5").assays
    assert [name for name, result in stored.items() if result.is_empty] == ["generation"]
    assert reason in " ".join(lrx("show", "outputs/assay/all").stdout.split())
    drawn = lrx("report", "outputs/assay/all")
    assert (drawn.returncode, drawn.stderr) == (0, "outputs/assay/all/report.html\n")
    assert reason in (tmp_path / "outputs/assay/all/report.html").read_text()
    assert lrx("collect", "outputs").returncode == 0
    refused = lrx("assay", "assay=paper", "ckpt=outputs/train/flat", "assay.only=generation", "name=one")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


def test_interrupted_run_goes_on(lrx: Lrx, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [*PAPER, "ckpt=outputs/train/run", "assay.only=[reconstruction,response_matrix,manifold]"]
    real, names = catalog.measure_of, []

    def measure_of(settings: catalog.Checked, stop_at: str = "") -> Callable[..., object]:
        name = type(settings).__module__.split(".")[-2]
        names.append(name)
        if name == stop_at:
            raise KeyboardInterrupt
        return real(settings)

    monkeypatch.setattr(catalog, "measure_of", lambda settings: measure_of(settings, stop_at="manifold"))
    assert lrx(*words, "name=all").returncode == 130
    monkeypatch.setattr(catalog, "measure_of", measure_of)
    path = place / "outputs/assay/all/result.h5"
    before = results.read(path).assays
    assert sorted(before) == ["reconstruction", "response_matrix"]
    names.clear()
    assert lrx(*words, "name=all").returncode == 0
    assert names == ["paper", "manifold"]
    after = results.read(path).assays
    assert sorted(after) == ["manifold", "reconstruction", "response_matrix"]
    for name, result in before.items():
        for key, array in result.arrays.items():
            np.testing.assert_array_equal(array.values, after[name].arrays[key].values)
    assert lrx(*words, "name=whole").returncode == 0
    for name, result in results.read(place / "outputs/assay/whole/result.h5").assays.items():
        for key, array in result.arrays.items():
            np.testing.assert_array_equal(array.values, after[name].arrays[key].values)

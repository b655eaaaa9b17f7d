"""Reports: runs and results at a path, one self-contained page, and texts of files escaped."""

from __future__ import annotations

import base64
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

from lrx.assays import catalog
from lrx.core.types import Array, AssayResult
from lrx.report import page, run_page
from lrx.storage import results
from tests.cli.test_configs import GROUPS
from tests.conftest import TINY, Lrx

AXES = ("intervened", "responding")


class Page(HTMLParser):
    """Scripts, images, text and tags (with their attributes) of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.images: list[dict[str, str]] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = self._inside = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {key: value or "" for key, value in attrs}
        self.tags.append((tag, attributes))
        self._inside = tag
        if tag == "img":
            self.images.append(attributes)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside != "style":
            self.text += f" {' '.join(data.split())}"

    def assert_stands_alone(self) -> None:
        for tag, attributes in self.tags:
            assert tag not in ("link", "iframe", "object", "embed", "base"), tag
            for name in ("src", "href", "srcset", "action"):
                assert attributes.get(name, "#").startswith(("#", "data:image/png;base64,")), (tag, attributes)
            assert not [name for name in attributes if name.startswith("on")], attributes
        for image in self.images:
            assert base64.b64decode(image["src"].partition(",")[2]).startswith(b"\x89PNG")
            assert len(image["alt"]) > 20


def matrix_result(shift: float = 0.0, names: tuple[str, str] = ("0", "1")) -> AssayResult:
    values = np.eye(2) * 0.9 + shift
    return AssayResult(
        arrays={
            "matrix": Array(values, AXES, "latent"),
            "matrix_se": Array(values / 50, AXES, "latent"),
            "informative": Array(np.ones(2, np.uint8), AXES[1:]),
        },
        coordinates=dict.fromkeys(AXES, np.array(names)),
        scores={"num_informative": 2.0, "largest_se": 0.018 + shift},
        settings={"base": "prior", "normalization": "half", "num_samples": 64},
    )


def written(folder: Path, assays: dict[str, AssayResult], **provenance: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    known = {"model": "lrx.models.vae.VAE", "dataset": "dsprites", "dataset_source": "rendered", **provenance}
    results.write(folder / "result.h5", assays, known)
    return folder / "result.h5"


# ------------------------------------------------------------------------------------------------ what it says


def test_every_assay_is_described() -> None:
    assert set(catalog.descriptions()) == {*GROUPS["assay"]} - {"paper"}
    for description in catalog.descriptions().values():
        named = {*description.scores}
        assert set(description.main_scores) <= named or any("{}" in name for name in named)


def test_meaning_names_part_of_score() -> None:
    generation, factor_inference = (catalog.descriptions()[name] for name in ("generation", "factor_inference"))
    assert "draws from the prior" in generation.meaning("frechet_prior")
    assert "all latents, learned from 1000 labels" in factor_inference.meaning("accuracy_all_1000")
    names = ["frechet_refined", "recall_prior", "frechet_data", "frechet_prior", "beauty"]
    ordered = sorted(names, key=generation.score_order)
    assert ordered == ["frechet_data", "frechet_prior", "frechet_refined", "recall_prior", "beauty"]
    labels = sorted(("1000", "100", "9" * 5000), key=lambda n: factor_inference.score_order(f"accuracy_all_{n}"))
    assert labels.index("100") < labels.index("1000")
    assert generation.meaning("beauty") == run_page.description_of("of_mine").meaning("cds") == ""


def test_undescribed_picture_is_shown_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described = catalog.descriptions()["response_matrix"]
    lacking = {**catalog.descriptions(), "response_matrix": replace(described, pictures={})}
    monkeypatch.setattr(catalog, "descriptions", lambda: lacking)
    path = written(tmp_path, {"response_matrix": matrix_result()})
    out, faults = page.write(path, None)
    assert faults == ["lrx/assays/response_matrix/description.py describes no picture 'response_matrix'; add it there"]
    (image,) = Page(out).images
    assert image["alt"] == "Picture response matrix of Latent response matrix. VAE on dsprites."


# ------------------------------------------------------------------------------------------------ of one run


def test_run_has_curves_and_assays_of_its_checkpoint(lrx: Lrx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        assert lrx("train", *TINY, f"name={name}", f"seed={'ab'.index(name)}").returncode == 0
        measured = lrx("assay", f"ckpt=outputs/train/{name}", "assay.num_samples=16", f"name=of-{name}")
        assert measured.returncode == 0, measured.stderr

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a report loads no tensors")

    monkeypatch.setattr(torch, "load", refused)
    done = lrx("report", "outputs/train/a")
    assert (done.returncode, done.stderr.split()) == (0, ["outputs/train/a/report.html"]), done.stderr
    report = Page(tmp_path / "outputs/train/a/report.html")
    report.assert_stands_alone()
    assert len(report.images) == 2
    assert report.images[0]["alt"].startswith("Training curves of a: loss")
    assert "BetaVAE with 2 latents on double helix (drawn from seed 0), trained for 20 steps." in report.text
    assert "lrx train experiment=helix trainer.steps=20" in report.text
    assert "lrx assay ckpt=outputs/train/a assay.num_samples=16 name=of-a" in report.text
    assert "of-b" not in report.text
    assert "Latents that respond to themselves" in report.text
    assert "num samples 16" in report.text
    assert "What was found" in report.text
    assert report.text.count("of 2 latents") == 2  # on the first screen, and in its section
    anchors = {attributes.get("id") for _, attributes in report.tags}
    links = [attributes["href"] for tag, attributes in report.tags if tag == "a"]
    assert set(links) <= {f"#{anchor}" for anchor in anchors}

    assert lrx("report", "outputs/assay/of-a/result.h5", "out=one.html").returncode == 0
    alone = Page(tmp_path / "one.html")
    assert "of-a, measured on a" in alone.text
    assert alone.images[0]["alt"].startswith("Training curves")  # of the checkpoint that it names
    (tmp_path / "outputs/train/a/checkpoint.pt").write_bytes(b"another one")
    assert lrx("report", "outputs/assay/of-a", "out=two.html").returncode == 0
    assert len(Page(tmp_path / "two.html").images) == 1  # which is not that checkpoint any more

    first = (tmp_path / "two.html").read_bytes()
    assert lrx("report", "outputs/assay/of-a", "out=two.html").returncode == 0
    assert (tmp_path / "two.html").read_bytes() == first


def test_damaged_and_foreign_files_are_one_line(lrx: Lrx, tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", {"response_matrix": matrix_result()})
    (tmp_path / "cut.h5").write_bytes(whole.read_bytes()[:900])
    (tmp_path / "foreign.h5").write_text("not a results file")
    (tmp_path / "empty").mkdir()
    for name, words in {
        "cut.h5": "is not a readable results file of lrx",
        "foreign.h5": "is not a readable results file of lrx",
        "empty": "holds no runs",
        "nowhere": "no such file or folder",
    }.items():
        done = lrx("report", name)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert words in done.stderr
        assert not list(tmp_path.glob("**/report.html"))
    assert "takes one path" in lrx("report").stderr
    assert "usage: lrx report" in lrx("report", "--help").stdout


def test_scores_of_assay_that_cannot_be_drawn(tmp_path: Path) -> None:
    lacking = AssayResult({"x": Array(np.ones(2), ("latent",))}, {}, {"num_informative": 7.0})
    flat = AssayResult({"matrix": Array(np.ones(2), ("latent",))}, {}, {"cds": 0.25}, {"threshold": 0.1})
    path = written(tmp_path, {"response_matrix": lacking, "conditioned_response": flat})
    out, faults = page.write(path, None)
    assert "its response_matrix lacks 'matrix'" in faults[0]
    assert "its conditioned_response cannot be drawn" in faults[1]
    report = Page(out)
    assert "num informative 7 Latents" in report.text
    assert "cds 0.25 Causal" in report.text
    assert not report.images

"""Reports: runs and results at a path, one self-contained page, and texts of files escaped."""

from __future__ import annotations

import base64
import json
import math
import os
import shlex
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

from lrx.assays import catalog
from lrx.assays.paper.assay import Settings, default_assays
from lrx.assays.run import run_assay
from lrx.core.types import Array, AssayResult
from lrx.metrics.record import PRESETS, Sizes
from lrx.report import commands, page, pictures, run_page, sweep_page
from lrx.report.sweep_runs import SweepRun
from lrx.runs import status
from lrx.storage import results
from tests.cli.test_configs import GROUPS, ToyGrid, model_from
from tests.conftest import TINY, Lrx

SCRIPT = "<script>alert(1)</script>"
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


def test_every_score_and_picture_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRX_DATA", str(tmp_path))
    monkeypatch.setitem(PRESETS, "fast", Sizes(num_train=60, num_test=30, train_votes=20, eval_votes=10))
    sizes: dict[str, dict[str, object]] = {
        "response_matrix": {"num_samples": 16},
        "conditioned_response": {"num_bootstrap": 4},
        "latent_graph": {"num_samples": 16, "num_replicates": 4},
        "traversal": {"num_samples": 16, "steps": 3},
        "response_map": {"num_samples": 16, "resolution": 9, "num_posterior": 4, "decoded": 2, "latents": "all"},
        "manifold": {"num_points": 4},
        "interpolation": {"num_pairs": 2, "num_nodes": 4, "steps": 1, "probe_steps": 2},
        "generation": {"num_samples": 6, "neighbours": 1, "probe_steps": 2},
        "factor_inference": {"labels": [4, 6], "num_test": 4, "repeats": 1},
    }
    assays = {name: replace(own, **sizes.get(name, {})) for name, own in default_assays().items()}
    model = model_from("model=vae", "network=mlp", "latent_dim=3", dataset=ToyGrid((1, 2, 2)))
    results_of = run_assay(Settings(assays=assays), model, ToyGrid((1, 2, 2)), torch.Generator().manual_seed(0))
    assert isinstance(results_of, dict)
    assert len(results_of) >= 11
    for name, result in results_of.items():
        description = catalog.descriptions()[name]
        for score in result.scores:
            if not run_page.is_error(score, result):
                assert description.meaning(score), (name, score)
                assert "{" not in description.meaning(score)
        drawn, undescribed = pictures.assay_pictures(name, result, {}, tmp_path)
        assert not undescribed
        assert len(drawn) >= (name != "codes")
        assert all(len(one.alt) > 20 and one.width > 100 for one in drawn)


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


def test_markup_in_files_is_escaped(tmp_path: Path) -> None:
    hostile = matrix_result(names=(SCRIPT, '" onerror="alert(2)'))
    hostile = AssayResult(hostile.arrays, hostile.coordinates, {SCRIPT.replace("/", ""): 1.0}, {**hostile.settings})
    result = AssayResult(hostile.arrays, hostile.coordinates, hostile.scores, {**hostile.settings, "remark": SCRIPT})
    folder = tmp_path / "<img src=x onerror=alert(3)>"
    facts = {
        "config": f"note: {SCRIPT}",
        "checkpoint_config": f"model: {{_target_: '{SCRIPT}'}}",
        "dataset": f"'{SCRIPT}",
    }
    written(folder, {"response_matrix": result, "<b>own": matrix_result()}, **facts)
    status.write(folder, status.Status("failed", "assay", (f"name={SCRIPT}",), error=SCRIPT))
    out, faults = page.write(folder, None)
    assert not faults
    report = Page(out)
    report.assert_stands_alone()
    assert len(report.scripts) == 1
    assert "alert" not in report.scripts[0]
    assert report.text.count(SCRIPT) >= 5
    assert "<img src=x onerror=alert(3)>" in report.text
    assert "<b>own" in report.text
    (policy,) = [tag["content"] for name, tag in report.tags if tag.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-")


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


# ------------------------------------------------------------------------------------------------ of a sweep


def sweep(folder: Path) -> Path:
    """Two configs with two seeds each, one of which has no result yet, and a damaged file."""
    for beta in (1, 4):
        for seed in (0, 1):
            run = folder / f"vae-{beta}-{seed}"
            config = f"seed: {seed}\nmodel: {{_target_: lrx.models.vae.VAE, beta: {beta}}}\nname: {run.name}\n"
            state = "running" if (beta, seed) == (4, 1) else "done"
            run.mkdir(parents=True)
            (run / "config.yaml").write_text(config)
            status.write(run, status.Status(state, "train", (f"seed={seed}",)))
            if state == "done":
                written(run / "paper", {"response_matrix": matrix_result(beta / 100 + seed / 10)})
    (folder / "vae-1-1" / "other").mkdir()
    (folder / "vae-1-1" / "other" / "result.h5").write_bytes(b"cut")
    return folder


def test_sweep_has_table_plot_and_matrices(lrx: Lrx, tmp_path: Path) -> None:
    sweep(tmp_path / "sweep")
    done = lrx("report", "sweep")
    assert done.returncode == 0
    assert "other/result.h5 is not a readable results file" in done.stderr
    report = Page(tmp_path / "sweep" / "report.html")
    report.assert_stands_alone()
    assert "4 runs: 1 interrupted, 3 done." in report.text  # as nobody works in the folder that says running
    assert "They differ in seed, model.beta." in report.text
    data = json.loads(report.scripts[0])
    assert data["scores"] == ["response matrix: num informative", "response matrix: largest se"]
    assert data["groups"] == ["beta 1", "beta 4"]
    runs = {run["name"]: run for run in data["runs"]}
    assert runs["vae-1-1"]["group"] == runs["vae-1-0"]["group"] == "beta 1"
    assert runs["vae-1-1"]["values"] == [2.0, pytest.approx(0.128)]
    assert runs["vae-4-1"]["values"] == [None, None]
    captions = [image["alt"] for image in report.images if "A heat map" in image["alt"]]
    assert [caption.rpartition(" ")[2] for caption in captions] == ["vae-1-0.", "vae-1-1.", "vae-4-0."]
    assert "Data: dsprites (rendered by lrx, not the official file)." in report.text
    assert "Make it again lrx train -m seed=0,1" in " ".join(report.text.split())
    assert "response matrix: largest se The largest standard error of an entry" in " ".join(report.text.split())
    values = [tag["data-value"] for name, tag in report.tags if name == "td" and "data-value" in tag]
    assert values[:3] == ["2.0", "2.0", "2.0"]


def test_remarks_mark_rows_and_are_listed(tmp_path: Path) -> None:
    sweep(tmp_path)
    dead = matrix_result(0.2)
    dead = AssayResult(dead.arrays, dead.coordinates, dead.scores, {**dead.settings, "remark": "no latent answers"})
    written(tmp_path / "vae-1-0" / "paper", {"response_matrix": dead})
    out, _ = page.write(tmp_path, None)
    report = Page(out)
    text = " ".join(report.text.split())
    assert (
        "vae-1-0 1 0 done 2 * response matrix vae-1-1 1 1 done 2 vae" in text
    )  # run, beta, seed, state, score, remark
    assert "vae-1-0 response matrix: no latent answers" in text
    assert [tag.get("class") for name, tag in report.tags if name == "tr"].count("remarked") == 2  # of main, of all
    runs = {run["name"]: run["remark"] for run in json.loads(report.scripts[0])["runs"]}
    assert runs == {"vae-1-0": "response matrix: no latent answers", "vae-1-1": "", "vae-4-0": "", "vae-4-1": ""}
    written(tmp_path / "vae-1-0" / "paper", {"response_matrix": matrix_result(0.2)})
    assert "Remarks" not in Page(page.write(tmp_path, None)[0]).text


def test_damaged_run_folders_are_one_line_each(tmp_path: Path) -> None:
    for name, config, command, log in (
        ("strange", "{not: [yaml", '{"state": "done", "command": 3, "overrides": [[1]]}', ""),
        ("logged", "seed: 1", '{"state": "done"}', 'not json\n{"step": 1, "loss": 2.0}\n'),
        ("well", "seed: 1", '{"state": "done"}', ""),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(config)
        (tmp_path / name / "status.json").write_text(command)
        (tmp_path / name / "metrics.jsonl").write_text(log)
    out, faults = page.write(tmp_path, None)
    assert len(faults) == 2
    assert "logged/metrics.jsonl: line 1 is damaged" in faults[0]
    assert faults[1].startswith(f"{tmp_path / 'strange'}: config.yaml is damaged (ParserError: while parsing a flow ")
    assert "3 runs: 2 done, 1 unknown." in Page(out).text


def test_keys_that_vary_together_are_one_column(tmp_path: Path) -> None:
    for model, steps, seed in (("VAE", 10, 0), ("VAE", 10, 1), ("AE", 20, 0)):
        run = tmp_path / f"{model}-{seed}"
        run.mkdir()
        config = f"seed: {seed}\ntrainer: {{steps: {steps}}}\nmodel: {{_target_: lrx.models.x.{model}}}\n"
        (run / "config.yaml").write_text(config)
        written(run / "paper", {"response_matrix": matrix_result()}, checkpoint_config=config)
        status.write(run, status.Status("done", "train"))
    report = Page(page.write(tmp_path, None)[0])
    assert json.loads(report.scripts[0])["groups"] == ["AE", "VAE"]
    assert "They differ in seed, trainer.steps, model." in report.text
    assert " run model seed state " in " ".join(report.text.split())


def test_sweep_of_assays_differs_in_assay_settings(tmp_path: Path) -> None:
    for samples in (16, 64):
        config = f"seed: 0\nassay: {{_target_: lrx.assays.x, num_samples: {samples}}}\n"
        trained = "seed: 3\nmodel: {_target_: lrx.models.vae.VAE}\n"
        written(tmp_path / f"{samples}", {"response_matrix": matrix_result()}, config=config, checkpoint_config=trained)
    out, faults = page.write(tmp_path, tmp_path / "deep" / "page.html")
    assert not faults
    report = Page(out)
    assert "They differ in assay.num_samples." in report.text
    assert json.loads(report.scripts[0])["groups"] == ["num_samples 16", "num_samples 64"]


def test_first_axes_are_scores_of_two_assays() -> None:
    keys = [("reconstruction", "squared_error"), ("reconstruction", "kl"), ("traversal", "mean_following"), ("a", "b")]
    every = [dict(zip(keys, values, strict=True)) for values in ((1.0, 2.0, 0.1, 7.0), (3.0, math.nan, 0.2, 7.0))]
    rows = [SweepRun(str(place), "done", {}, scores, {}, {}, "", []) for place, scores in enumerate(every)]
    assert sweep_page._first_axes(rows, keys, keys) == (0, 2)
    assert sweep_page._first_axes(rows, keys, keys[:2]) == (0, 1)  # kl differs between no runs: the first two there are


def test_commands_as_shell_lines() -> None:
    command = ("assay", ("assay=paper", "ckpt='outputs/train/one'", "name='1'", "note='a b'"))
    (line,) = commands.shell_lines([command])
    assert shlex.split(line) == ["lrx", "assay", "assay=paper", "ckpt=outputs/train/one", "name='1'", "note='a b'"]
    runs = [("train", (f"model={model}", f"seed={seed}", "name=x")) for model in ("ae", "vae") for seed in (0, 1)]
    assert commands.sweep_lines(runs) == ["lrx train -m model=ae,vae seed=0,1 name=x"]
    assert commands.sweep_lines(runs[:3]) == commands.shell_lines(runs[:3])  # no product of choices
    assert commands.sweep_lines([*runs, ("import", ())])[1:] == ["lrx import"]


def test_markup_in_run_names_is_escaped(tmp_path: Path) -> None:
    for name in ("</script><script>alert(1)<", "b"):
        written(tmp_path / name.replace("/", "|"), {name: matrix_result()})
    out, _ = page.write(tmp_path, None)
    report = Page(out)
    report.assert_stands_alone()
    assert len(report.scripts) == 2
    assert "alert" not in report.scripts[1]
    assert json.loads(report.scripts[0])["runs"][0]["name"] == "<|script><script>alert(1)<"


def test_name_that_is_not_utf8(lrx: Lrx, place: Path) -> None:
    (place / "outputs/train/run").rename(os.fsdecode(bytes(place) + b"/outputs/train/run\xff"))
    for path in ("outputs", "outputs/train/run\udcff"):
        assert lrx("report", path).returncode == 0
    assert "run?" in (place / "outputs/report.html").read_text()

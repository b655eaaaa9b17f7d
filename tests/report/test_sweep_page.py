"""The page of a sweep: table, plot, matrices, and texts of files escaped."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from lrx.core.types import AssayResult
from lrx.report import page, sweep_page, sweep_training
from lrx.report.sweep_columns import first_axes, fitting
from lrx.report.sweep_runs import SweepRun
from lrx.runs import status
from lrx.runs.grouping import few_groups
from tests.conftest import Lrx
from tests.report.test_page import Page, matrix_result, written


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
    assert data["names"] == ["vae-1-0", "vae-1-1", "vae-4-0", "vae-4-1"]
    assert data["groups"] == [["beta 1", "beta 4"], [0, 0, 1, 1]]
    assert data["settings"] == [[["1", "4"], [0, 0, 1, 1]], [["0", "1"], [0, 1, 0, 1]]]
    assert data["values"] == [[2, 2, 2, None], [0.028, 0.128, 0.058, None]]
    captions = [image["alt"] for image in report.images if "A heat map" in image["alt"]]
    assert [caption.rpartition(" ")[2] for caption in captions] == ["vae-1-0.", "vae-1-1.", "vae-4-0."]
    assert "Data: dsprites (rendered by lrx, not the official file)." in report.text
    assert "Make it again lrx train -m seed=0,1" in " ".join(report.text.split())
    assert "response matrix: largest se The largest standard error of an entry" in " ".join(report.text.split())
    values = [tag["data-value"] for name, tag in report.tags if name == "td" and "data-value" in tag]
    assert values[:3] == ["2.0", "2.0", "2.0"]


def test_many_runs_are_data_of_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_page, "MOST_ROWS", 3)
    monkeypatch.setattr(sweep_page, "MOST_DRAWN", 2)
    out, _ = page.write(sweep(tmp_path), None)
    report = Page(out)
    report.assert_stands_alone()
    data = json.loads(report.scripts[0])
    assert len(data["names"]) == 4
    assert [json.loads(tag["data-scores"]) for _, tag in report.tags if "data-scores" in tag] == [[0], [0, 1]]
    assert len([tag for name, tag in report.tags if name == "td" and "data-value" in tag]) == 1  # the mean over seeds
    captions = [image["alt"] for image in report.images if "A heat map" in image["alt"]]
    assert [caption.rpartition(" ")[2] for caption in captions] == ["vae-1-0.", "vae-4-0."]  # of each group the first
    assert "These are a run of each kind; lrx report" in " ".join(report.text.split())


def test_page_says_of_undrawn_matrices_where_there_are_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_page, "MOST_DRAWN", 3)  # of four runs, of which three are measured and drawn
    assert "These are a run of each kind" not in " ".join(Page(page.write(sweep(tmp_path), None)[0]).text.split())


def test_numbers_that_cannot_be_drawn_lose_no_page(tmp_path: Path) -> None:
    sweep(tmp_path)
    first = matrix_result(0.2)
    scores = {**first.scores, "num_informative": 1.0, "num_informative_se": -1.0}
    written(tmp_path / "vae-1-0" / "paper", {"response_matrix": replace(first, scores=scores)})
    out, faults = page.write(tmp_path, None)
    assert [fault for fault in faults if fault.startswith("response matrix: num informative: its spread cannot")]
    assert "vae-1-0 1 0 done 1 ± -1" in " ".join(Page(out).text.split())


def test_plots_have_a_look_for_each_group() -> None:
    script = (page.TEMPLATES / "page.js").read_text(encoding="utf-8")
    colours, shapes = (
        json.loads(re.findall(rf"const {name} = (\[.*\]);", script)[0]) for name in ("COLOURS", "SHAPES")
    )
    assert len({*colours}) * len({*shapes}) >= sweep_page.MOST_GROUPS
    assert len({*sweep_training.LOOKS}) >= sweep_page.MOST_GROUPS


def test_few_groups_have_the_first_keys() -> None:
    configs = [{"model": model, "beta": beta} for model in "ab" for beta in range(3)]
    assert few_groups(configs, ["model", "beta"], 6) == ["model", "beta"]
    assert few_groups(configs, ["model", "beta"], 5) == ["model"]
    assert few_groups(configs, ["model", "beta"], 1) == []


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
    assert json.loads(report.scripts[0])["remarks"] == {"0": {"response matrix": "no latent answers"}}
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
    assert "3 runs: 1 unknown, 2 done." in Page(out).text


def test_keys_that_vary_together_are_one_column(tmp_path: Path) -> None:
    for model, steps, seed in (("VAE", 10, 0), ("VAE", 10, 1), ("AE", 20, 0)):
        run = tmp_path / f"{model}-{seed}"
        run.mkdir()
        config = f"seed: {seed}\ntrainer: {{steps: {steps}}}\nmodel: {{_target_: lrx.models.x.{model}}}\n"
        (run / "config.yaml").write_text(config)
        written(run / "paper", {"response_matrix": matrix_result()}, checkpoint_config=config)
        status.write(run, status.Status("done", "train"))
    report = Page(page.write(tmp_path, None)[0])
    assert json.loads(report.scripts[0])["groups"][0] == ["AE", "VAE"]
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
    assert json.loads(report.scripts[0])["groups"][0] == ["num_samples 16", "num_samples 64"]


def test_first_axes_are_scores_of_two_assays() -> None:
    keys = [("reconstruction", "squared_error"), ("reconstruction", "kl"), ("traversal", "mean_following"), ("a", "b")]
    every = [dict(zip(keys, values, strict=True)) for values in ((1.0, 2.0, 0.1, 7.0), (3.0, math.nan, 0.2, 7.0))]
    rows = [SweepRun(str(place), "done", {}, scores, {}, "", []) for place, scores in enumerate(every)]
    assert first_axes(rows, keys, keys) == (0, 2)
    assert first_axes(rows, keys, keys[:2]) == (0, 2)  # kl differs between no runs, and another score does


def test_markup_in_run_names_is_escaped(tmp_path: Path) -> None:
    for name in ("</script><script>alert(1)<", "b"):
        written(tmp_path / name.replace("/", "|"), {name: matrix_result()})
    out, _ = page.write(tmp_path, None)
    report = Page(out)
    report.assert_stands_alone()
    assert len(report.scripts) == 2
    assert "alert" not in report.scripts[1]
    assert json.loads(report.scripts[0])["names"][0] == "<|script><script>alert(1)<"


def test_axes_without_assays_are_parts_of_the_loss() -> None:
    keys = [("train", "loss"), ("train", "kl"), ("train", "reconstruction"), ("train", "lr")]
    every = [dict(zip(keys, values, strict=True)) for values in ((9.0, 2.0, 7.0, 0.1), (8.0, 3.0, 5.0, 0.1))]
    rows = [SweepRun(str(place), "done", {}, scores, {}, "", []) for place, scores in enumerate(every)]
    assert first_axes(rows, keys, []) == (1, 2)


def test_columns_fit_the_page_with_headlines_first() -> None:
    keys = [("reconstruction", f"s{place}") for place in range(9)] + [("response_matrix", "num_informative")]
    texts = [["0.1234 ± 0.0123"]] * len(keys)
    chosen = fitting(keys, [name for _, name in keys], texts, ["a run", "done"])
    assert chosen[-1] == keys[-1]
    assert keys[0] in chosen
    assert len(chosen) < len(keys)
    assert fitting(keys[:2], ["a", "b"], texts[:2], ["x" * 500]) == keys[:1]  # never none


def test_sweep_without_assays_shows_losses_and_curves(tmp_path: Path) -> None:
    for seed in (0, 1):
        run = tmp_path / f"run-{seed}"
        run.mkdir()
        (run / "config.yaml").write_text(f"seed: {seed}\nmodel: {{_target_: lrx.models.vae.VAE}}\n")
        rows = ({"step": step, "loss": 9.0 - step - seed, "kl": step + seed} for step in (1, 2, 3))
        (run / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        status.write(run, status.Status("done", "train"))
    out, faults = page.write(tmp_path, None)
    assert faults == []
    report = Page(out)
    assert json.loads(report.scripts[0])["values"] == [[6, 5], [3, 4]]
    assert report.images[0]["alt"] == "Training curves of 2 runs: all runs."
    text = " ".join(report.text.split())
    assert "run seed state train: loss train: kl" in text
    assert "5.5 ± 0.5" in text  # the mean over both seeds

"""Comparison of two runs: differences with errors, configs, matrices with aligned latents, and refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from lrx.core.types import Array, AssayResult
from lrx.report import compare_matrices, page, pictures
from tests.conftest import TINY, Lrx
from tests.report.test_page import AXES, Page, matrix_result, written


def scored(**scores: float) -> dict[str, AssayResult]:
    return {"metrics": AssayResult({"code_std": Array(np.ones(2), ("latent",))}, {"latent": np.arange(2)}, scores)}


def compared(folder: Path, first: dict[str, AssayResult], second: dict[str, AssayResult], **same: str) -> Page:
    paths = (written(folder / "a", first, **same), written(folder / "b", second, **same))
    out, faults = page.write_comparison(paths, None)
    assert out == folder / "a/comparison-with-b.html"
    assert not [fault for fault in faults if "metrics" not in fault]  # whose arrays are not made up here
    made = Page(out)
    made.assert_stands_alone()
    return made


def text_of(made: Page) -> str:
    return " ".join(made.text.split())


def test_clear_differences_come_first(tmp_path: Path) -> None:
    first = scored(mig=0.10, mig_se=0.03, factorvae=0.5, factorvae_se=0.1, dci_disentanglement=0.2)
    second = scored(mig=0.30, mig_se=0.04, factorvae=0.6, factorvae_se=0.1, dci_disentanglement=0.3)
    text = text_of(compared(tmp_path, first, second))
    assert "mig is higher in b: 0.300 ± 0.040 against 0.100 ± 0.030, a difference of 0.200 ± 0.050." in text
    assert "No difference above 2 standard errors: factorvae." in text
    assert "Without an error of the difference: dci disentanglement 0.2 and 0.3." in text
    assert "0.200 ± 0.050 4.0" in text  # of the table: the difference, and its size in standard errors


def test_scores_apart_by_less_than_digits_are_not_same(tmp_path: Path) -> None:
    first, second = (scored(mig=value, dci_disentanglement=0.25) for value in (0.12341, 0.12349))
    text = text_of(compared(tmp_path, first, second))
    assert "The same in both: dci disentanglement 0.25." in text
    assert "Without an error of the difference: mig 0.123 and 0.123, 8e-05 apart." in text


def test_configs_and_assays_of_one_alone(tmp_path: Path) -> None:
    configs = ("beta: 1\nname: a\n", "beta: 4\nname: b\n")
    paths = []
    for name, config, assays in zip("ab", configs, ({}, {"response_matrix": matrix_result()}), strict=True):
        paths.append(written(tmp_path / name, {**scored(mig=0.1), **assays}, checkpoint_config=config))
    text = text_of(Page(page.write_comparison((paths[0], paths[1]), tmp_path / "out.html")[0]))
    assert "key a b beta 1 4" in text
    assert "name a b" not in text  # which says nothing of what was computed
    assert "b alone has response matrix." in text


def test_matrices_of_one_checkpoint_are_subtracted(tmp_path: Path) -> None:
    assays = [{"response_matrix": matrix_result(shift)} for shift in (0.0, 0.2)]
    made = compared(tmp_path, *assays, checkpoint_sha256="ab" * 32)
    note = "4 of 4 entries differ by more than 2 standard errors (by chance 0); both measured the same checkpoint"
    assert note in text_of(made)
    assert "the same colours in both. a b b minus a; red: more, blue: less" in text_of(made)
    assert [image["alt"] for image in made.images[:3]] == [
        "Latent response matrix of a.",
        "Latent response matrix of b.",
        "Latent response matrix: b minus a.",
    ]


def test_latents_of_other_models_need_alignment(tmp_path: Path) -> None:
    assays = [{"response_matrix": matrix_result(shift)} for shift in (0.0, 0.2)]
    text = text_of(compared(tmp_path, *assays))
    assert "No difference of entries: latents are not aligned" in text


def test_aligned_latents_have_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes in another order, and a matrix in the same order, are the same model; each matrix has its own labels."""
    rng, order = np.random.default_rng(0), np.array([2, 0, 3, 1])
    codes, matrix = rng.normal(size=(50, 4)), rng.uniform(size=(4, 4))

    def result(order: np.ndarray) -> dict[str, AssayResult]:
        values = matrix[np.ix_(order, order)]
        arrays = {"matrix": Array(values, AXES), "matrix_se": Array(values / 10, AXES)}
        labels = dict.fromkeys(AXES, np.arange(4))
        points = {"codes": Array(codes[:, order], ("image", "latent"))}
        return {
            "response_matrix": AssayResult(arrays, labels, {}, {"normalization": "half"}),
            "codes": AssayResult(points, {"image": np.arange(50), "latent": np.arange(4)}, {}),
        }

    first, second = result(np.arange(4)), result(order)
    found = compare_matrices.align([{}], [{}], first, second)
    assert found.latents is not None
    assert (np.arange(4)[order][found.latents] == np.arange(4)).all()
    pair = (first["response_matrix"], second["response_matrix"])
    _, (note,), faults = compare_matrices.draw("response_matrix", pair, ("a", "b"), found)
    assert note.startswith("0 of 16 entries differ by more than 2 standard errors (by chance 1); latents of the second")
    assert faults == []
    drawn: list[Figure] = []
    monkeypatch.setattr(pictures, "as_picture", lambda figure, alt, caption: drawn.append(figure))
    compare_matrices.draw("response_matrix", pair, ("a", "b"), found)
    rows = [[label.get_text() for label in figure.axes[0].get_yticklabels()] for figure in drawn]
    assert rows == [["0", "1", "2", "3"], [str(latent) for latent in found.latents], ["0", "1", "2", "3"]]
    assert rows[0] != rows[1]


def test_report_takes_two_runs(lrx: Lrx, tmp_path: Path) -> None:
    for seed in "01":
        assert lrx("train", *TINY, f"name=s/{seed}", f"seed={seed}", "then=response_matrix").returncode == 0
    done = lrx("report", "outputs/train/s/0", "outputs/train/s/1")
    assert (done.returncode, done.stderr.split()) == (0, ["outputs/train/s/0/comparison-with-1.html"]), done.stderr
    made = Page(tmp_path / "outputs/train/s/0/comparison-with-1.html")
    made.assert_stands_alone()
    assert "key 0 1 seed 0 1" in text_of(made)
    assert made.images[0]["alt"] == "Training curves of 0 and 1."


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["s", "s/a"], "s holds 2 runs, and a comparison takes one"),
        (["s/a", "s/b", "s/a"], "lrx report compares two runs, not 3"),
        (["s/a", "s/none"], "none"),
    ],
)
def test_wrong_comparisons_are_one_line(lrx: Lrx, tmp_path: Path, words: list[str], expected: str) -> None:
    for name in "ab":
        written(tmp_path / "s" / name, scored(mig=0.1))
    done = lrx("report", *words)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert expected in done.stderr

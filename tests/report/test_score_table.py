"""Tables of scores for papers: means and errors over seeds, which is best, and texts that LaTeX and Markdown read."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from pylatexenc.latex2text import LatexNodes2Text
from pylatexenc.latexwalker import LatexEnvironmentNode, LatexWalker

from lrx.core.validation import SettingError
from lrx.report.score_table import ScoreTable, score_table
from lrx.report.score_table_text import latex, latex_escape, markdown, markdown_escape
from lrx.runs.seed_groups import groups_of_rows
from lrx.runs.table import Row
from tests.conftest import TINY, Lrx

MIG, FRECHET = ("metrics", "mig"), ("generation", "frechet_prior")
HOSTILE = "a_b & c|d 5 % #1 {x} \\input{y} $x^2$ ~ <i>"


def row(name: str, beta: str | float, seed: int, mig: float, mig_se: float = math.nan, **more: float) -> Row:
    made = Row(name, "done", "", "train", {"model.beta": beta, "seed": seed})
    made.scores = {"metrics": {"mig": mig, "mig_se": mig_se}, **({"generation": more} if more else {})}
    return made


def table_of(*rows: Row, scores: tuple[str, ...] = ()) -> ScoreTable:
    return score_table(rows, groups_of_rows(rows), scores)


def two_groups(second: tuple[float, float, float]) -> list[Row]:
    """Seeds 1, 2, 3 with errors .3 beside those of another beta."""
    first = [row(f"a{seed}", 1, seed, float(seed), 0.3) for seed in (1, 2, 3)]
    return first + [row(f"b{seed}", 4, seed, value, 0.3) for seed, value in enumerate(second, 1)]


def test_cells_are_means_with_both_errors() -> None:
    table = table_of(*two_groups((5.0, 6.0, 7.0)))
    assert [(line.label, line.seeds) for line in table.lines] == [("beta 1", 3), ("beta 4", 3)]
    cell = table.lines[0].cells[MIG]  # s = 1, over sqrt(3); sqrt(3 * .09) / 3
    assert (cell.mean, cell.se_between, cell.se_within) == pytest.approx((2.0, 3**-0.5, 0.3 / 3**0.5))
    assert "| beta 1 | 3 | 2.00 ± 0.58 (0.17) |" in markdown(table, "here")
    assert r"beta 4 & 3 & $\mathbf{6.00 \pm 0.58}$ ($0.17$) \\" in latex(table, "here")


@pytest.mark.parametrize(("shift", "best"), [(0.81, None), (0.82, 1), (-0.82, 0)])
def test_best_only_beyond_the_error_of_the_difference(shift: float, best: int | None) -> None:
    table = table_of(*two_groups((1 + shift, 2 + shift, 3 + shift)))  # sqrt(1 / 3 + 1 / 3) is .816
    assert table.best.get(MIG) == best


def test_lower_is_best_where_it_should_be() -> None:
    rows = [
        row(f"r{beta}{seed}", beta, seed, 0.1, frechet_prior=beta + seed / 100) for beta in (1, 4) for seed in (1, 2)
    ]
    table = table_of(*rows)
    assert table.best == {FRECHET: 0}  # MIG is the same in both
    assert r"frechet prior $\downarrow$" in latex(table, "here")


def test_single_runs_are_compared_by_errors_within() -> None:
    assert table_of(row("a", 1, 0, 0.5, 0.1), row("b", 4, 0, 0.7, 0.1)).best == {MIG: 1}
    assert table_of(row("a", 1, 0, 0.5, 0.2), row("b", 4, 0, 0.7, 0.2)).best == {}
    assert table_of(row("a", 1, 0, 0.5), row("b", 4, 0, 0.7)).best == {}  # of unknown error


def test_single_run_among_groups_is_not_judged() -> None:
    rows = [*two_groups((1.0, 2.0, 3.0))[:3], row("b", 4, 0, 9.0, 0.1)]
    table = table_of(*rows)
    assert [line.seeds for line in table.lines] == [3, 1]
    assert table.best == {}
    assert "| beta 4 | 1 | 9.00 (0.1) |" in markdown(table, "here")


def test_missing_score_is_a_dash() -> None:
    rows = [row("a", 1, 0, 0.5, 0.1, frechet_prior=2.0), row("b", 4, 0, math.nan)]
    text = markdown(table_of(*rows), "here")
    assert "| beta 4 | 1 | – | – |" in text


def test_trainings_without_assays_have_their_loss() -> None:
    rows = [replace(row("a", 4, seed, 0.0), scores={"train": {"step": 30.0, "loss": 1.0 + seed}}) for seed in (0, 1)]
    table = table_of(*rows)
    assert list(table.columns) == [("train", "loss")]


def test_unknown_score_gets_a_suggestion() -> None:
    rows = two_groups((1.0, 2.0, 3.0))
    with pytest.raises(SettingError, match=r"scores=metrics.mgi is a score of no run; did you mean metrics.mig\?"):
        table_of(*rows, scores=("metrics.mgi",))
    rows[0].scores["other"] = {"mig": 1.0}
    with pytest.raises(SettingError, match=r"scores=mig is of several assays; give metrics.mig or other.mig"):
        table_of(*rows, scores=("mig",))
    with pytest.raises(SettingError, match="no run has any"):
        table_of(Row("a", "done", "", "train"))


def hostile_table() -> ScoreTable:
    return table_of(row("a", HOSTILE, 0, 1.5e-7, 3e-9), row("b", "plain", 0, 0.7, 0.1))


def test_latex_is_whole_and_texts_are_escaped(tmp_path: Path) -> None:
    text = latex(hostile_table(), "a folder\n\\end{table}")
    document = f"\\documentclass{{article}}\n\\usepackage{{booktabs}}\n\\begin{{document}}\n{text}\\end{{document}}\n"
    nodes, _, _ = LatexWalker(document, tolerant_parsing=False).get_latex_nodes()  # raises for what is not closed
    (body,) = [node for node in nodes if isinstance(node, LatexEnvironmentNode)]
    (table,) = [node for node in body.nodelist if isinstance(node, LatexEnvironmentNode)]
    (tabular,) = [node for node in table.nodelist if isinstance(node, LatexEnvironmentNode)]
    assert (table.environmentname, tabular.environmentname) == ("table", "tabular")
    lines = re.findall(r"^ *(?!\\)(.*) \\\\$", tabular.latex_verbatim(), re.M)
    assert len(lines) == 3
    columns = re.search(r"begin\{tabular\}\{(\w+)\}", text)
    assert columns
    for line in lines:
        assert len(re.findall(r"(?<!\\)&", line)) == len(columns[1]) - 1
    assert r"$1.500 \times 10^{-7}$ ($3 \times 10^{-9}$)" in text
    if shutil.which("pdflatex"):
        (tmp_path / "t.tex").write_text(document, encoding="utf-8")
        subprocess.run(["pdflatex", "-halt-on-error", "t.tex"], cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize("scale", [1e-7, 1.0, 1e7])
def test_error_within_models_is_a_whole_number(scale: float) -> None:
    rows = [row(f"a{seed}", 1, seed, scale * (2 + seed / 10), 0.3 * scale) for seed in (1, 2, 3)]
    text = markdown(table_of(*rows, row("b", 4, 0, scale, 0.3 * scale)), "here")
    groups, single = (float(re.findall(r"\(([^()]*)\) \|$", text, re.M)[place]) for place in (0, 1))
    assert (groups, single) == pytest.approx((0.3 * scale / 3**0.5, 0.3 * scale), rel=0.05)


def test_escapes_are_read_back() -> None:
    read = LatexNodes2Text().latex_to_text(latex_escape(HOSTILE))
    assert read.replace("\N{MODIFIER LETTER CIRCUMFLEX ACCENT}", "^") == re.sub("[<>|]", "", HOSTILE)  # which it drops
    assert latex_escape("<i>|") == r"\textless{}i\textgreater{}\textbar{}"
    assert re.sub(r"\\(.)", r"\1", markdown_escape(HOSTILE)) == HOSTILE
    assert not re.search(r"(?<!\\)[|*_<]", markdown_escape(HOSTILE))


def test_collect_writes_tables(lrx: Lrx, tmp_path: Path) -> None:
    assert lrx("train", "-m", *TINY, "seed=0,1", "name=s", "then=[response_matrix]").returncode == 0
    done = lrx("collect", "outputs/train/s", "table=markdown", "scores=train.loss,num_active")
    assert done.returncode == 0, done.stderr
    file = tmp_path / "outputs/train/s/collected-table.md"
    assert "outputs/train/s/collected-table.md" in done.stderr
    text = file.read_text(encoding="utf-8")
    assert "| runs | seeds | loss | num active |" in text
    assert re.search(r"^\| all runs[^|]* \| 2 \| [\d.]+ ± [\d.]+ \| ", text, re.M)
    assert lrx("collect", "outputs/train/s", "table=markdown").returncode == 0  # over its own
    file.write_text("of mine", encoding="utf-8")
    refused = lrx("collect", "outputs/train/s", "table=markdown")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert file.read_text(encoding="utf-8") == "of mine"
    refused = lrx("collect", "outputs/train/s", "scores=mig")
    assert refused.returncode == 2
    assert "give table=latex or table=markdown" in refused.stderr

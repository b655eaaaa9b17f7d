r"""Text of a table of scores, as LaTeX with booktabs or as Markdown.

LaTeX: a `table` environment for `\input`; its document loads the package booktabs. Letters beyond Latin need LuaLaTeX
or XeLaTeX. A cell is `mean ± error over seeds (error within models)`, the latter alone for one seed.
"""

from __future__ import annotations

import math

from lrx.core import rounding
from lrx.core.text import printable
from lrx.report.score_table import ScoreTable
from lrx.runs.over_seeds import Estimate

ENDINGS = {"latex": ".tex", "markdown": ".md"}
STARTS = {"latex": "% Table of lrx collect", "markdown": "<!-- Table of lrx collect"}
LATEX = {
    "\\": r"\textbackslash{}",
    **{letter: rf"\{letter}" for letter in "{}$&#%_"},
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",  # in LaTeX's own encoding of fonts a dash
    "²": r"\textsuperscript{2}",
    "–": "--",
    "±": r"\ensuremath{\pm}",
}
MARKDOWN = {letter: f"\\{letter}" for letter in "\\`*_{}[]<>|#~$&"}


def latex_escape(text: str) -> str:
    r"""Escape what LaTeX reads as a command.

    >>> latex_escape("a_b & 5 % of $x^2$")
    'a\\_b \\& 5 \\% of \\$x\\textasciicircum{}2\\$'
    """
    return "".join(LATEX.get(letter, letter) for letter in printable(text))


def markdown_escape(text: str) -> str:
    r"""Escape what Markdown reads as a mark.

    >>> markdown_escape("a_b | *c*")
    'a\\_b \\| \\*c\\*'
    """
    return "".join(MARKDOWN.get(letter, letter) for letter in printable(text))


def latex(table: ScoreTable, source: str) -> str:
    """Write a table as LaTeX. source: where its runs are, for a comment."""
    arrows = {1: r" $\uparrow$", -1: r" $\downarrow$", 0: ""}
    heads = [latex_escape(words) + arrows[table.directions[key]] for key, words in table.columns.items()]
    lines = [" & ".join(["runs", "seeds", *heads]) + r" \\", r"\midrule"]
    for place, line in enumerate(table.lines):
        cells = [_latex_cell(line.cells.get(key), bold=table.best.get(key) == place) for key in table.columns]
        label = latex_escape(line.label) + ("$^*$" if line.remarked else "")
        lines.append(" & ".join([label, str(line.seeds), *cells]) + r" \\")
    body = "\n".join(f"    {line}" for line in [r"\toprule", *lines, r"\bottomrule"])
    return f"""{STARTS["latex"]} {printable(source)}; its document needs \\usepackage{{booktabs}}
\\begin{{table}}
  \\centering
  \\caption{{{latex_escape(_caption(table))}}}
  \\begin{{tabular}}{{lr{"c" * len(heads)}}}
{body}
  \\end{{tabular}}
\\end{{table}}
"""


def markdown(table: ScoreTable, source: str) -> str:
    """Write a table as Markdown. source: where its runs are, for a comment."""
    arrows = {1: " ↑", -1: " ↓", 0: ""}
    heads = [markdown_escape(words) + arrows[table.directions[key]] for key, words in table.columns.items()]
    rows = [["runs", "seeds", *heads], ["---", "---:", *("---:" for _ in heads)]]
    for place, line in enumerate(table.lines):
        cells = [_markdown_cell(line.cells.get(key), bold=table.best.get(key) == place) for key in table.columns]
        rows.append([markdown_escape(line.label) + (r" \*" if line.remarked else ""), str(line.seeds), *cells])
    body = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    comment = f"{STARTS['markdown']} {printable(source).replace('--', '- -')} -->"  # which two dashes would end
    return f"{comment}\n\n{body}\n\n{markdown_escape(_caption(table))}\n"


def _caption(table: ScoreTable) -> str:
    """Say what stands in a cell, what is in bold and what is marked."""
    what = (
        "Mean ± standard error over seeds, in brackets the standard error within models."
        if table.has_seeds
        else "Score, in brackets its standard error within the model."
    )
    bold = " Bold: best, where the difference from the next is larger than the standard error of that difference."
    remark = " *: a remark of an assay says what to beware of."
    return what + (bold if table.best else "") + (remark if any(line.remarked for line in table.lines) else "")


def _parts(cell: Estimate) -> tuple[str, str, str, int]:
    """Return mean, error over seeds, error within models (empty for none), and the power of ten of the first two.

    The error within models stands in brackets beyond that power, so it is whole.
    """
    within = float(cell.se_within)
    mean, between, power = rounding.rounded(float(cell.mean), float(cell.se_between))
    if not between and within > 0:  # digits as the error within leaves them
        mean, _, power = rounding.rounded(float(cell.mean), within)
    return mean, between, f"{within:.2g}" if math.isfinite(within) and within > 0 else "", power


def _latex_cell(cell: Estimate | None, *, bold: bool) -> str:
    if cell is None or not math.isfinite(cell.mean):
        return "--"
    mean, between, within, power = _parts(cell)
    number = rf"{mean} \pm {between}" if between else mean
    if power:
        number = (f"({number})" if between else number) + rf" \times 10^{{{power}}}"
    shown = rf"$\mathbf{{{number}}}$" if bold else f"${number}$"
    return f"{shown} ({_scientific(within)})" if within else shown


def _scientific(number: str) -> str:
    """Write a number of Python's, such as 1e-05, for LaTeX."""
    digits, has_power, power = number.partition("e")
    return rf"${digits} \times 10^{{{int(power)}}}$" if has_power else f"${digits}$"


def _markdown_cell(cell: Estimate | None, *, bold: bool) -> str:
    if cell is None or not math.isfinite(cell.mean):
        return "–"
    mean, between, within, power = _parts(cell)
    number = f"{mean} ± {between}" if between else mean
    if power:
        number = (f"({number})" if between else number) + f"e{power:+03d}"
    number = f"**{number}**" if bold else number
    return f"{number} ({within})" if within else number


WRITERS = {"latex": latex, "markdown": markdown}

"""scripts/bench*.py: tables, spreads and turns with known answers; what is compared is the same on both sides."""

from __future__ import annotations

import importlib
import inspect
import pickle
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
NAMES = sorted(path.stem for path in SCRIPTS.glob("bench_*.py"))


class Script:
    """The scripts, imported as they import each other."""

    def __getattr__(self, name: str) -> ModuleType:
        return importlib.import_module(name)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    monkeypatch.syspath_prepend(SCRIPTS)
    return Script()


SIDES = """
import os

HERE = os.getpid()

def double(turns):
    for turn in turns:
        turns.found = 2 * turn

def process(turns):
    for turn in turns:
        turns.found = os.getpid()
"""


@pytest.fixture
def sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of trivial sides, where the processes of sides find it too."""
    (tmp_path / "trivial_sides.py").write_text(SIDES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "trivial_sides", raising=False)
    return importlib.import_module("trivial_sides")


@pytest.mark.parametrize("name", NAMES)
def test_every_script_has_measure(script: Script, name: str) -> None:
    parameters = inspect.signature(getattr(script, name).measure).parameters
    assert list(parameters) == ["quick", "threads"]
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters.values())


def test_the_page_has_every_script(script: Script) -> None:
    assert sorted(f"bench_{name}" for name in script.bench.ORDER) == NAMES


def test_a_spread_is_median_least_and_most(script: Script) -> None:
    values = script.benchsides.spread([3.0, 1.0, 8.0])
    assert values == (3.0, 1.0, 8.0)
    assert values.scaled(2) == (6.0, 2.0, 16.0)


def test_a_ratio_is_taken_turn_by_turn(script: Script) -> None:
    slow, fast = (script.benchsides.Measured(seconds) for seconds in ([4.0, 10.0, 9.0], [2.0, 2.0, 3.0]))
    assert script.benchsides.ratio(slow, fast) == (3.0, 2.0, 5.0)  # not the ratio of medians, 4.5


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((2.0, 2.0, 2.0), "2"),
        ((1.2345, 1.0, 2.5), "1.23 (1–2.5)"),
        ((1234.5, 100.2, 20000.0), "1,234 (100–20,000)"),
        ((0.00123, 0.00123, 0.00123), "0.00123"),
    ],
)
def test_words_have_three_digits_and_a_range(script: Script, values: tuple[float, float, float], expected: str) -> None:
    assert script.benchtable.words(script.benchsides.Spread(*values)) == expected


def section_of(script: Script, **more: object) -> object:
    spread, row = script.benchsides.spread, script.benchtable.Row
    rows = [
        row("plain", spread([10.0])),
        row("lrx", spread([2.0]), spread([5.0]), 0.256, "4", True),
        row("slow", spread([5.0]), spread([2.0]), None, "4", False, "why"),
    ]
    return script.benchtable.Section("Title", "Text.", "ms", rows, **more)


def test_table_without_empty_columns(script: Script) -> None:
    assert script.benchtable.cells(section_of(script)) == [
        ("", "ms", "times as fast", "of the matrix rate", "demanded", ""),
        ("plain", "10", "", "", "", ""),
        ("lrx", "2", "5", "26 %", "4: met", ""),
        ("slow", "5", "2", "", "4: MISSED", "why"),
    ]
    only = script.benchtable.Section("Title", "Text.", "s", [script.benchtable.Row("a", script.benchsides.spread([1]))])
    assert script.benchtable.cells(only) == [("", "s"), ("a", "1")]


def test_markdown_has_title_text_table_remarks_and_picture(script: Script) -> None:
    written = script.benchtable.markdown(section_of(script, remarks=["Note."], picture=b"png"), "images/a.png")
    lines = written.splitlines()
    assert lines[:3] == ["## Title", "", "Text."]
    assert lines[4:6] == ["|  | ms | times as fast | of the matrix rate | demanded |  |", "|---|---|---|---|---|---|"]
    assert lines[-3:] == ["Note.", "", "![Title](images/a.png)"]


def test_page_names_missing_and_failed(script: Script) -> None:
    sections = {"train": section_of(script)}
    written = script.bench.page(sections, ["data"], {"cores": "2"}, "make bench", quick=False)
    assert "- Title: slow, 2 where 4 is demanded (why)\n- data: failed, and was not measured\n" in written
    assert "| cores | 2 |" in written
    assert script.bench.QUICK not in written
    assert "```bash" not in written  # which test_docs.py would run


def test_failed_section_keeps_others(script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script.bench, "SCRIPTS", tmp_path)
    (tmp_path / "bench_broken.py").write_text("raise SystemExit(1)\n")
    for name in ("one", "two"):
        (tmp_path / f"bench_{name}.py").write_text(
            "import pickle, sys; from pathlib import Path\n"
            f"Path(sys.argv[sys.argv.index('--store') + 1]).write_bytes(pickle.dumps('{name}'))\n"
        )
    (tmp_path / "kept.pickle").write_bytes(pickle.dumps("kept"))  # which has no script: it is not measured again
    names = ("one", "broken", "kept", "two")
    found, failed = script.bench.measured(names, tmp_path, quick=True, threads=1)
    assert (found, failed) == ({"one": "one", "kept": "kept", "two": "two"}, ["broken"])


def test_rate_of_multiply_adds(script: Script) -> None:
    a, b = torch.zeros(3, 5), torch.zeros(5, 7)
    assert script.benchrate.operations(lambda: a @ b) == 2 * 3 * 5 * 7


def test_an_exponent_is_that_of_a_power(script: Script) -> None:
    sizes = [10, 24, 64]
    assert script.bench_curves.exponent(sizes, [3 * size**1.5 for size in sizes]) == pytest.approx(1.5)


def test_published_procedure_on_linear_loop(script: Script) -> None:
    class Linear(torch.nn.Module):  # encode(decode(z)) = z A, so that the response matrix is |A|
        a = torch.tensor([[1.0, 0.5], [0.0, -0.25]], dtype=torch.float64)

        def encode(self, x: torch.Tensor) -> torch.Tensor:
            return x.double() @ self.a

        def decode(self, z: torch.Tensor) -> torch.Tensor:
            return z

    matrix, se = script.bench_response.published(Linear(), 2, 4096, 0)
    assert np.allclose(matrix, Linear.a.abs().numpy(), atol=5 * se.max())
    assert matrix[1, 0] == 0.0


def test_plain_distances_have_known_values(script: Script) -> None:
    plain, random = script.bench_generation, np.random.default_rng(0)
    x = random.normal(size=(200, 3))
    shift = np.array([3.0, 0.0, 4.0])
    assert plain.frechet(x, x + shift) == pytest.approx(25.0)  # equal covariances: the squared distance of the means
    assert plain.precision(x, x) == plain.recall(x, x) == 1.0
    assert plain.precision(x, x + 100) == 0.0


def test_sides_take_turns_in_processes_of_their_own(script: Script, sides: ModuleType) -> None:
    both = [script.benchsides.Side(name, getattr(sides, name), keep_memory=False) for name in ("double", "process")]
    found = script.benchsides.in_turns(both, turns=3, threads=1)
    assert found["double"].found == [0, 2, 4]
    assert len(found["process"].seconds) == 3
    assert len({*found["process"].found, sides.HERE}) == 2

"""Folders of the assays: complete, and described: every score and every picture has its sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import cast

import cf_units
import netCDF4
import pint
import pytest
from matplotlib import pyplot

import lrx
from lrx.assays import catalog
from lrx.assays.plotting import style
from lrx.assays.summary import Summary, summarize
from lrx.core.types import AssayResult
from lrx.storage import results
from tests.support.all_assays import toy_result
from tests.support.models_for_tests import one_thread as one_thread

ROOT = Path(lrx.__file__).parents[1]
SHARED = ("plotting", "__pycache__")


def missing_files(root: Path) -> list[str]:
    """Say which files each assay of a checkout lacks."""
    messages = []
    for folder in sorted((root / "lrx/assays").iterdir()):
        if not folder.is_dir() or folder.name in SHARED:
            continue
        parts = ["__init__.py", "assay.py", "cost.py", *([] if folder.name == "paper" else ["description.py"])]
        paths = [*(folder / part for part in parts), root / f"configs/assay/{folder.name}.yaml"]
        paths.append(root / f"docs/assays/{folder.name}.md")
        messages += [f"{path.relative_to(root)} is missing" for path in paths if not path.is_file()]
    return messages


def test_folders_are_complete() -> None:
    assert not missing_files(ROOT)


def test_missing_file_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "lrx/assays/foo"
    folder.mkdir(parents=True)
    for part in ("__init__.py", "assay.py"):
        (folder / part).touch()
    assert missing_files(tmp_path) == [
        "lrx/assays/foo/cost.py is missing",
        "lrx/assays/foo/description.py is missing",
        "configs/assay/foo.yaml is missing",
        "docs/assays/foo.md is missing",
    ]


@pytest.mark.parametrize("name", catalog.descriptions())
def test_description_is_complete(name: str) -> None:
    description = catalog.descriptions()[name]
    assert description.title
    assert description.question.endswith("?")
    assert all(sentence.endswith(".") for sentence in description.scores.values())
    assert all(picture.alt and picture.reading for picture in description.pictures.values())
    assert all(description.meaning(score) for score in description.main_scores)
    for score, sentence in description.scores.items():
        best = re.search(r"\b(0|1)( is)? (best|perfect)|(larger|higher|smaller) is (better|closer)", sentence)
        if best and description.direction(score):
            is_lower = best[0].startswith(("0", "smaller"))
            assert description.direction(score) == (-1 if is_lower else 1), score
    assert bool(description.pictures) == (catalog.figures_of(name) is not None)


def assert_units_are_read(name: str, result: AssayResult, path: Path) -> None:
    """Check that unit libraries take every array for a plain number, and that lrx reads its words again."""
    results.write(path, {name: result}, {})
    registry = pint.UnitRegistry()
    with netCDF4.Dataset(path) as file:
        for key, array in result.arrays.items():
            units = file[name][key].units
            assert cf_units.Unit(units).is_dimensionless()
            assert registry.Unit(units).dimensionless
            assert array.unit == "1" or array.unit in file[name][key].long_name
    read = results.read(path).assays[name].arrays
    assert {key: array.unit for key, array in read.items()} == {key: a.unit for key, a in result.arrays.items()}
    assert all(read[key].description == (array.description or key) for key, array in result.arrays.items())


def assert_says_numbers(name: str, result: AssayResult) -> None:
    """Check that the assay's own rules, not what stands in for them, make a sentence with numbers of a result."""
    of_assay = cast(Callable[[AssayResult], Summary], catalog.function_of(name, "summary", "summarize"))
    said = summarize(name, result)
    assert of_assay is None or said == of_assay(result)
    assert all(re.match(r"[A-Z0-9].*\d.*\.$", sentence) for sentence in (said.sentence, *said.doubts))
    assert "nan" not in said.sentence


@pytest.mark.parametrize("name", catalog.descriptions())
def test_scores_and_pictures_are_described(name: str, tmp_path: Path) -> None:
    description, result = catalog.descriptions()[name], toy_result(name)
    assert_units_are_read(name, result, tmp_path / "result.h5")
    scores = [score for score in result.scores if not score.endswith("_se")]
    path = f"lrx/assays/{name}/description.py"
    assert not [score for score in scores if not description.meaning(score)], f"{path}: scores without a sentence"
    assert not [score for score in scores if "{" in description.meaning(score)]
    assert_says_numbers(name, result)
    figures = catalog.figures_of(name)
    if figures is not None:
        with style.plot_style():
            pictures = figures(result, {"model": "lrx.models.vae.VAE", "dataset": "toy"})
        pyplot.close("all")
        assert set(pictures) <= set(description.pictures), f"{path}: pictures without a text"

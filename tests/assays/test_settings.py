"""Settings of every assay: yaml, meanings, defaults, refused values, stored values."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType

import pytest

from lrx.assays import catalog
from lrx.core.settings import Checked, bounds_of, from_keywords, stored
from lrx.core.types import AssayResult
from lrx.core.validation import SettingError
from lrx.storage import results
from scripts.write_configs import FOLDER, assay_yaml, paper_yaml

NAMES = [*catalog.descriptions(), "paper"]


def invalid_values(settings: type[Checked]) -> Iterator[tuple[str, object]]:
    """Values that each field must refuse, by its type and bounds."""
    hints = typing.get_type_hints(settings)
    for entry in dataclasses.fields(settings):
        hint, bounds = hints[entry.name], bounds_of(entry)
        union = typing.get_origin(hint) in (UnionType, typing.Union)
        kinds = set(typing.get_args(hint)) if union else {hint}
        least = [] if bounds.at_least is None else [bounds.at_least - 1]
        if bounds.choices:
            values: list[object] = ["no such choice", 3]
        elif kinds <= {int, NoneType}:
            values = [1.5, True, "three", -1, *least]
        elif kinds <= {float, NoneType}:
            values = ["three", True, math.nan, *([0] if bounds.positive else []), *least]
        elif kinds <= {str, NoneType}:
            values = [3]
        elif kinds == {bool}:
            values = [1, "yes"]
        else:
            values = [True if float in kinds else 3.5]  # lists and unions, which the class itself checks
        nullable = NoneType in kinds
        yield from ((entry.name, value) for value in [*values, *([] if nullable else [None])])


def refusal(settings: type[Checked], key: str, value: object) -> str:
    """Message of the SettingError for a value; empty where there is none."""
    try:
        settings(**{key: value})
    except SettingError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", NAMES)
def test_yaml_equals_settings(name: str) -> None:
    path = FOLDER / f"{name}.yaml"
    expected = paper_yaml() if name == "paper" else assay_yaml(name)
    advice = f"configs/assay/{path.name} differs from lrx/assays/{name}/assay.py; run: python scripts/write_configs.py"
    assert path.is_file(), advice
    assert path.read_text(encoding="utf-8") == expected, advice


def test_every_yaml_has_an_assay() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_has_a_meaning(name: str) -> None:
    for entry in dataclasses.fields(catalog.settings_of(name)):
        meaning = bounds_of(entry).meaning
        assert meaning, f"lrx/assays/{name}/assay.py: {entry.name} has no meaning"
        assert "\n" not in meaning
        assert " #" not in meaning


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_valid_and_stored(name: str, tmp_path: Path) -> None:
    values = stored(catalog.settings_of(name)())
    results.write(tmp_path / "result.h5", {name: AssayResult({}, {}, {}, values)}, {})
    assert results.read(tmp_path / "result.h5").assays[name].settings == values


@pytest.mark.parametrize("name", NAMES)
def test_invalid_values_are_refused(name: str) -> None:
    settings = catalog.settings_of(name)
    for key, value in invalid_values(settings):
        message = refusal(settings, key, value)
        assert message.startswith(f"{key} must be "), f"{name}: {key}={value!r}: {message or 'accepted'}"
        assert message.endswith(f"not {value!r}"), message
        assert "\n" not in message


@pytest.mark.parametrize("name", NAMES)
def test_unknown_keywords_are_refused(name: str) -> None:
    settings = catalog.settings_of(name)
    first = dataclasses.fields(settings)[0].name
    with pytest.raises(
        SettingError, match=rf"^{first}_ is not a setting; the settings are .*; did you mean {first}\?$"
    ):
        from_keywords(settings, {f"{first}_": 3})

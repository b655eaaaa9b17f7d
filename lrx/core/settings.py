"""Settings of an assay: one frozen dataclass whose fields carry default, meaning and bounds.

    @dataclass(frozen=True, kw_only=True)
    class Settings(Checked):
        num_samples: int = setting(1024, "draws, each used by every row", at_least=2)
        base: str = setting("prior", "source of the base points", choices=("prior", "posterior"))
        batch_size: int | None = setting(None, "images per forward pass; null: what fits the memory", at_least=1)

The checks, the yaml file, the settings stored with a result and the reference page are all made from these fields.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import NoneType, UnionType
from typing import Any, TypeVar

from lrx.core.text import did_you_mean
from lrx.core.validation import SettingError, check_choice, check_number, check_positive, check_whole, is_number

S = TypeVar("S", bound="Checked")
Stored = str | int | float | bool | None
WORDS: dict[object, tuple[str, str]] = {  # of one value, of several
    NoneType: ("null", "nulls"),
    bool: ("true or false", "truth values"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("text", "texts"),
}


@dataclass(frozen=True)
class Bounds:
    """Meaning and bounds of one setting; `at_least` and `positive` hold for numbers, `choices` for words.

    in_yaml: the default as the yaml file writes it, where that is not the default in python.
    """

    meaning: str
    at_least: float | None = None
    positive: bool = False
    choices: tuple[str, ...] = ()
    in_yaml: str = ""


def setting(
    default: Any,
    meaning: str,
    *,
    at_least: float | None = None,
    positive: bool = False,
    choices: Sequence[str] = (),
    in_yaml: str = "",
) -> Any:
    """Declare a field of a `Checked` dataclass.

    default: its value where none is given. meaning: one line for yaml, help and reference page.
    in_yaml: the default of the yaml file, where it differs, such as a folder that the environment names.
    at_least, positive, choices: bounds, checked together with the annotated type. A field without bounds whose type is
    not int, float, bool or str (each also `| None`) is checked for its type alone; `check` of the class does the rest.
    """
    metadata = {"bounds": Bounds(meaning, at_least, positive, tuple(choices), in_yaml)}
    if isinstance(default, list | dict):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Settings that are checked when they are made. SettingError names the setting, the value and what is valid."""

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for entry in fields(self):
            _check(entry.name, getattr(self, entry.name), hints[entry.name], bounds_of(entry))
        self.check()
        for entry in fields(self):  # last: the messages of `check` say more
            _check_composite(entry.name, getattr(self, entry.name), hints[entry.name])

    def check(self) -> None:
        """Check what fields have to do with each other; nothing by default."""


@dataclass(frozen=True, kw_only=True)
class AssaySettings(Checked):
    """Settings that all assays have. They change no number, so that no result stores them, and no run is another."""

    max_seconds: float | None = setting(
        None, "refuse what would take longer, fits left out; null: no limit", positive=True
    )


def settings_of(target: type[Checked] | Checked) -> list[dataclasses.Field[Any]]:
    """Return the fields of settings, those that all assays have last."""
    return sorted(fields(target), key=lambda entry: entry.name in AssaySettings.__dataclass_fields__)


def bounds_of(entry: dataclasses.Field[Any]) -> Bounds:
    """Return meaning and bounds of a field that `setting` declared."""
    bounds = entry.metadata["bounds"]
    assert isinstance(bounds, Bounds)
    return bounds


def default_of(entry: dataclasses.Field[Any]) -> object:
    """Return the default of a field."""
    if entry.default_factory is not dataclasses.MISSING:
        return entry.default_factory()
    return entry.default


def stored(settings: Checked, **done: Stored) -> dict[str, Stored]:
    """Return the settings as a result stores them, lists as text; `done` replaces or adds what was done in fact."""
    own = [entry.name for entry in fields(settings) if entry.name not in AssaySettings.__dataclass_fields__]
    return {name: as_stored(getattr(settings, name)) for name in own} | done


def as_stored(value: object) -> Stored:
    """Return a value as an attribute of a result: text, number, bool or None; lists as text, such as `0, 3`."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {as_stored(inner)}" for key, inner in value.items())
    assert isinstance(value, Sequence), value
    return ", ".join(str(as_stored(inner)) for inner in value)


def from_keywords(settings: type[S], given: Mapping[str, object]) -> S:
    """Make settings of keywords. SettingError for an unknown name, with the nearest valid one and all of them."""
    valid = [entry.name for entry in settings_of(settings)]
    for name in given:
        if name not in valid:
            near = did_you_mean(name, valid)
            raise SettingError(f"{name} is not a setting; the settings are {', '.join(valid)}{near}")
    return settings(**given)


def yaml_lines(settings: type[Checked]) -> list[str]:
    """Return the lines of a yaml file: each setting with its default, and its meaning as a comment."""
    pairs = [(f"{entry.name}: {_yaml_default(entry)}", bounds_of(entry).meaning) for entry in settings_of(settings)]
    width = max(len(value) for value, _ in pairs)
    return [f"{value:{width}}   # {meaning}" for value, meaning in pairs]


def _yaml_default(entry: dataclasses.Field[Any]) -> str:
    return bounds_of(entry).in_yaml or as_yaml(default_of(entry))


def as_yaml(value: object) -> str:
    """Return a value as yaml writes it in a line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{', '.join(as_yaml(inner) for inner in value)}]"
    assert isinstance(value, str | int | float), value
    return str(value)


def _kinds(hint: object) -> tuple[object, ...]:
    """Types of a union, or the only one."""
    return typing.get_args(hint) if typing.get_origin(hint) in (UnionType, typing.Union) else (hint,)


def _check(name: str, value: object, hint: object, bounds: Bounds) -> None:
    kinds = {*_kinds(hint)}
    null = NoneType in kinds
    kinds -= {NoneType}
    if bounds.choices:
        if not (null and value is None):
            check_choice(name, value, bounds.choices if not null else ("null", *bounds.choices))
    elif kinds == {int}:
        check_whole(name, value, int(bounds.at_least or 0), null=null)
    elif kinds == {float}:
        if bounds.positive:
            check_positive(name, value, null=null)
        else:
            check_number(name, value, bounds.at_least, null=null)
    elif kinds == {bool} and not isinstance(value, bool):
        raise SettingError(f"{name} must be true or false, not {value!r}")
    elif kinds == {str} and not (isinstance(value, str) or (null and value is None)):
        raise SettingError(f"{name} must be {'null or ' if null else ''}text, not {value!r}")


def _check_composite(name: str, value: object, hint: object) -> None:
    """Check a value of a list, a mapping or a union by its type."""
    kinds = _kinds(hint)
    if all(kind in WORDS for kind in kinds) and len({*kinds} - {NoneType}) == 1:
        return  # `_check` has checked it with its bounds
    if not any(_is_of(value, kind) for kind in kinds):
        *words, last = sorted((_in_words(kind, 0) for kind in kinds), key=lambda word: word != "null")
        raise SettingError(f"{name} must be {', '.join(words)}{' or ' if words else ''}{last}, not {value!r}")


def _is_of(value: object, kind: object) -> bool:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (list, Sequence):
        return isinstance(value, list | tuple) and all(_is_of(item, inner[0]) for item in value)
    if origin is dict:
        return isinstance(value, Mapping) and all(_is_of(item, inner[1]) for item in value.values())
    if kind is float:
        return is_number(value)
    return isinstance(value, typing.cast(type, kind)) and (kind is bool or not isinstance(value, bool))


def _in_words(kind: object, number: int) -> str:
    """Name a type; number: 0 for one value, 1 for several."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (list, Sequence):
        return f"{('a list', 'lists')[number]} of {_in_words(inner[0], 1)}"
    if origin is dict:
        return f"{_in_words(inner[1], 1)} by name"
    return WORDS[kind][number] if kind in WORDS else "settings"

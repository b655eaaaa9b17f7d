"""Settings: checks of types and bounds, yaml, stored values, keywords."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import pytest

from lrx.core.settings import (
    Checked,
    as_stored,
    as_yaml,
    bounds_of,
    default_of,
    from_keywords,
    setting,
    stored,
    yaml_lines,
)
from lrx.core.validation import SettingError


@dataclass(frozen=True, kw_only=True)
class Example(Checked):
    """Settings of each kind."""

    num_samples: int = setting(4, "draws", at_least=2)
    limit: int | None = setting(None, "at most", at_least=1)
    rate: float = setting(0.5, "a rate", at_least=0)
    target: float | None = setting(None, "an error", positive=True)
    offset: float = setting(-1.0, "any number")
    base: str = setting("prior", "source", choices=("prior", "posterior"))
    label: str | None = setting(None, "a text")
    exact: bool = setting(True, "exact or not")
    counts: list[int] = setting([1, 2], "counts")
    latents: str | list[int] = setting("all", "latents")

    def check(self) -> None:
        """Check the counts."""
        if not self.counts:
            raise SettingError(f"counts must be numbers, not {self.counts!r}")


VALID = {
    "num_samples": [2, 10**9],
    "limit": [None, 1],
    "rate": [0, 0.0, 1e9],
    "target": [None, 1e-9, 3],
    "offset": [-5, 0.0],
    "base": ["posterior"],
    "label": [None, "", "text"],
    "exact": [False],
    "counts": [[5]],
    "latents": [[0, 3], "all"],
}

INVALID = [
    ("num_samples", 1, "num_samples must be a whole number of at least 2, not 1"),
    ("num_samples", 2.0, "num_samples must be a whole number of at least 2, not 2.0"),
    ("num_samples", True, "num_samples must be a whole number of at least 2, not True"),
    ("num_samples", None, "num_samples must be a whole number of at least 2, not None"),
    ("num_samples", "4", "num_samples must be a whole number of at least 2, not '4'"),
    ("limit", 0, "limit must be null or a whole number of at least 1, not 0"),
    ("rate", -0.1, "rate must be a number of at least 0, not -0.1"),
    ("rate", math.nan, "rate must be a number of at least 0, not nan"),
    ("rate", "0.5", "rate must be a number of at least 0, not '0.5'"),
    ("rate", True, "rate must be a number of at least 0, not True"),
    ("target", 0, "target must be null or a positive number, not 0"),
    ("offset", math.inf, "offset must be a number, not inf"),
    ("base", "data", "base must be one of prior, posterior, not 'data'"),
    ("base", None, "base must be one of prior, posterior, not None"),
    ("label", 3, "label must be null or text, not 3"),
    ("exact", 1, "exact must be true or false, not 1"),
    ("counts", [], "counts must be numbers, not []"),
    ("counts", 3, "counts must be a list of whole numbers, not 3"),
    ("counts", [1, "2"], "counts must be a list of whole numbers, not [1, '2']"),
    ("counts", [True], "counts must be a list of whole numbers, not [True]"),
    ("latents", 3.5, "latents must be text or a list of whole numbers, not 3.5"),
    ("latents", None, "latents must be text or a list of whole numbers, not None"),
]


@pytest.mark.parametrize("name", VALID)
def test_valid_values(name: str) -> None:
    assert set(VALID) == {entry.name for entry in fields(Example)}
    for value in VALID[name]:
        assert getattr(Example(**{name: value}), name) == value


@pytest.mark.parametrize(("name", "value", "message"), INVALID)
def test_invalid_values(name: str, value: object, message: str) -> None:
    with pytest.raises(SettingError) as error:
        Example(**{name: value})
    assert str(error.value) == message


def test_nullable_choice() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Nullable(Checked):
        mode: str | None = setting(None, "mode", choices=("fast", "slow"))

    assert Nullable().mode is None
    assert Nullable(mode="slow").mode == "slow"
    with pytest.raises(SettingError, match="mode must be one of null, fast, slow, not 'medium'"):
        Nullable(mode="medium")


def test_types_of_composite_fields() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Composite(Checked):
        only: str | list[str] | None = setting(None, "names")
        base: str | list[float] = setting("prior", "base")
        parts: dict[str, Checked] = setting({}, "settings of parts")
        pairs: list[list[int]] = setting([], "pairs")

    Composite(only=["a"], base=[1, 2.5], parts={"a": Example()}, pairs=[[1, 2], (3, 4)])
    for name, value, words in (
        ("only", 3, "null, text or a list of texts"),
        ("base", [math.nan], "text or a list of numbers"),
        ("parts", {"a": 3}, "settings by name"),
        ("pairs", [1], "a list of lists of whole numbers"),
    ):
        with pytest.raises(SettingError) as error:
            Composite(**{name: value})
        assert str(error.value) == f"{name} must be {words}, not {value!r}"


def test_defaults_are_not_shared() -> None:
    one, other = Example(), Example()
    assert one.counts is not other.counts
    (entry,) = [entry for entry in fields(Example) if entry.name == "counts"]
    assert default_of(entry) == [1, 2]
    assert bounds_of(entry).meaning == "counts"


def test_stored_values() -> None:
    assert stored(Example(latents=[0, 3]), num_samples=128, remark=None) == {
        "num_samples": 128,
        "limit": None,
        "rate": 0.5,
        "target": None,
        "offset": -1.0,
        "base": "prior",
        "label": None,
        "exact": True,
        "counts": "1, 2",
        "latents": "0, 3",
        "remark": None,
    }
    assert as_stored({"a": [1, 2], "b": "c"}) == "a: 1, 2, b: c"


def test_yaml_of_defaults() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Short(Checked):
        rate: float = setting(0.1, "a rate")
        names: list[str] = setting(["a", "b"], "some names")

    assert yaml_lines(Short) == ["rate: 0.1       # a rate", "names: [a, b]   # some names"]
    assert [as_yaml(value) for value in (None, True, False, 3, "x")] == ["null", "true", "false", "3", "x"]


def test_unknown_keyword() -> None:
    assert from_keywords(Example, {"num_samples": 8}).num_samples == 8
    names = ", ".join(entry.name for entry in fields(Example))
    for name, hint in (("num_sample", "; did you mean num_samples?"), ("colour", "")):
        with pytest.raises(SettingError) as error:
            from_keywords(Example, {"rate": 1, name: 3})
        assert str(error.value) == f"{name} is not a setting; the settings are {names}{hint}"

"""View: recipe of one code, short enough to be typed.

The code of `image`; mixed with that of `other`, of which it has the share `mix`; with the units `take` of the other's;
and with the units of `set` set to values. In the notation of the command line: {image:17,set:{6:1.2}}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import cast

from lrx.core.text import join_names
from lrx.core.validation import SettingError, is_number, is_whole


@dataclass(frozen=True)
class View:
    """Recipe of one code; see the module."""

    image: int
    other: int | None = None
    mix: float = 0.0
    take: tuple[int, ...] = ()
    set: Mapping[int, float] = field(default_factory=dict)

    def entries(self) -> dict[str, object]:
        """Return the view as a mapping, without what is as always.

        >>> View(17, set={6: 1.2}).entries()
        {'image': 17, 'set': {6: 1.2}}
        """
        of_other = {"other": self.other, "mix": self.mix or None, "take": list(self.take) or None}
        entries = {"image": self.image, **of_other, "set": dict(self.set) or None}
        return {key: value for key, value in entries.items() if value is not None}

    def typed(self) -> str:
        """Write the view as `lrx explore views=[...]` takes it.

        >>> View(17, set={6: 1.2, 0: -2.0}).typed(), View(3, other=5, mix=0.5, take=(0, 2)).typed()
        ('{image:17,set:{6:1.2,0:-2.0}}', '{image:3,other:5,mix:0.5,take:[0,2]}')
        """
        return repr(self.entries()).replace("'", "").replace(" ", "")

    def caption(self) -> str:
        """Write the view in words.

        >>> View(17, set={6: 1.2}).caption(), View(3, other=5, mix=0.5, take=(0, 2)).caption()
        ('image 17, 6 := 1.2', 'image 3, 50 % of image 5, 0 2 of image 5')
        """
        parts = [f"image {self.image}"]
        parts += [f"{self.mix:.0%} of image {self.other}".replace("%", " %")] if self.mix else []
        parts += [f"{' '.join(map(str, self.take))} of image {self.other}"] if self.take else []
        return ", ".join([*parts, *(f"{unit} := {value:.3g}" for unit, value in self.set.items())])


KEYS = tuple(entry.name for entry in fields(View))


def parse_view(given: object, *, images: int, units: int) -> View:
    """Return the view that a mapping describes, of so many images and units. SettingError for others."""
    if not isinstance(given, Mapping) or not set(given) <= {*KEYS}:
        raise SettingError(f"views must be mappings with the keys {join_names(KEYS)}, not {given!r}")
    entries = {key: value for key, value in given.items() if value is not None}
    for key in ("image", "other"):
        if key in entries or key == "image":
            _check_below(f"{key} of a view", entries.get(key), images)
    other, mix, take = entries.get("other"), entries.get("mix", 0.0), entries.get("take", [])
    if not is_number(mix) or not 0 <= mix <= 1:
        raise SettingError(f"mix of a view must be a number from 0 to 1, not {mix!r}")
    if not isinstance(take, list | tuple):
        raise SettingError(f"take of a view must be a list such as [0,2], not {take!r}")
    if other is None and (mix or take):
        raise SettingError("mix and take of a view need the image that they are of: other")
    changed = entries.get("set", {})
    if not isinstance(changed, Mapping):
        raise SettingError(f"set of a view must be a mapping such as {{6:1.2}}, not {changed!r}")
    numbered = {_number(unit): value for unit, value in changed.items()}
    for unit in (*take, *numbered):
        _check_below("a unit of a view", unit, units)
    wrong = [value for value in numbered.values() if not is_number(value)]
    if wrong:
        raise SettingError(f"set of a view must have finite numbers, not {wrong[0]!r}")
    values = {cast(int, unit): float(cast(float, value)) for unit, value in numbered.items()}
    return View(cast(int, entries["image"]), cast("int | None", other), float(mix), tuple(take), values)


def _number(unit: object) -> object:
    """Return the unit that a key names: JSON has texts alone."""
    return int(unit) if isinstance(unit, str) and unit.isascii() and unit.isdecimal() and len(unit) < 10 else unit


def _check_below(name: str, value: object, count: int) -> None:
    if not is_whole(value, 0) or cast(int, value) >= count:
        raise SettingError(f"{name} must be a whole number from 0 to {count - 1}, not {value!r}")

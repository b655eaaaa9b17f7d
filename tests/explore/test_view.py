"""Views: what may be typed, and that what is typed gives the view again."""

from __future__ import annotations

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from lrx.core.validation import SettingError
from lrx.explore.view import View, parse_view

VIEWS = [
    View(0),
    View(17, set={6: 1.2, 0: -2.0}),
    View(3, other=5, mix=0.5),
    View(3, other=5, take=(0, 2), set={1: 1e-05}),
    View(3, other=0, mix=1.0, set={2: -1e20, 3: 0.1 + 0.2, 4: 0.0}),
]


def test_typed_views_are_read_again() -> None:
    typed = f"views=[{','.join(view.typed() for view in VIEWS)}]"
    with initialize_config_module("lrx.configs", version_base="1.3"):
        given = OmegaConf.to_container(compose("explore", ["ckpt=x", typed]).views)
    assert [parse_view(one, images=20, units=7) for one in given] == VIEWS


def test_views_of_json_have_text_keys() -> None:
    given = {"image": 3, "other": None, "mix": 0, "take": [], "set": {"6": 1}}
    assert parse_view(given, images=20, units=7) == View(3, set={6: 1.0})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([1], "must be mappings with the keys image, other, mix, take, set, not \\[1\\]"),
        ({"image": 1, "code": "x"}, "must be mappings"),
        ({}, "image of a view must be a whole number from 0 to 19, not None"),
        ({"image": 20}, "from 0 to 19, not 20"),
        ({"image": True}, "not True"),
        ({"image": 1, "other": -1}, "other of a view"),
        ({"image": 1, "mix": 0.5}, "need the image that they are of: other"),
        ({"image": 1, "other": 2, "mix": 1.5}, "from 0 to 1, not 1.5"),
        ({"image": 1, "other": 2, "take": "0"}, "a list such as"),
        ({"image": 1, "other": 2, "take": [7]}, "a unit of a view must be a whole number from 0 to 6, not 7"),
        ({"image": 1, "set": [1]}, "a mapping such as"),
        ({"image": 1, "set": {"x": 1}}, "a unit of a view"),
        ({"image": 1, "set": {"1": float("inf")}}, "finite numbers, not inf"),
        ({"image": 1, "set": {"1": "1"}}, "finite numbers, not '1'"),
    ],
)
def test_wrong_views_say_what_is_valid(given: object, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        parse_view(given, images=20, units=7)

"""Run folders: the same config goes on, another one is refused, and keys of comfort are free."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrx.runs import run_folder


class Flat:
    """A config of lines `key=value`."""

    def __init__(self, **keys: str) -> None:
        self.text = "\n".join(f"{key}={value}" for key, value in keys.items())

    def flat(self, text: str | None = None) -> dict[str, str]:
        return dict(line.split("=", 1) for line in (self.text if text is None else text).splitlines())


def test_a_new_folder_and_the_same_config_are_welcome(tmp_path: Path) -> None:
    config = Flat(seed="1")
    run_folder.check_same(tmp_path, config)
    assert not list(tmp_path.iterdir())  # to look leaves nothing behind
    run_folder.write_config(tmp_path, config)
    run_folder.check_same(tmp_path, config)
    assert run_folder.kept_identity(tmp_path, config) == run_folder.identity(config) == "seed=1"


def test_differences_are_listed_with_both_values(tmp_path: Path) -> None:
    run_folder.write_config(tmp_path, Flat(seed="1", lr="0.1", old="x"))
    with pytest.raises(ValueError, match="another config") as caught:
        run_folder.check_same(tmp_path, Flat(seed="2", lr="0.1", new="y"))
    for words in ("seed (was 1, now 2)", "new (was not there, now y)", "old (was x, now not there)"):
        assert words in str(caught.value)
    assert "lr (" not in str(caught.value)


def test_where_and_how_often_may_change(tmp_path: Path) -> None:
    run_folder.write_config(tmp_path, Flat(**dict.fromkeys(run_folder.FREE, "before"), seed="1"))
    after = Flat(**dict.fromkeys(run_folder.FREE, "after"), seed="1")
    run_folder.check_same(tmp_path, after)
    assert run_folder.identity(after) == "seed=1"


def test_keys_that_came_or_went_in_between_are_the_same_while_they_are_off(tmp_path: Path) -> None:
    run_folder.write_config(tmp_path, Flat(seed="1", gone="None"))
    now = Flat(seed="1", new="None", flag="False")
    run_folder.check_same(tmp_path, now)
    assert run_folder.kept_identity(tmp_path, now) == "gone=None\nseed=1"
    assert (
        run_folder.kept_identity(tmp_path / "empty", now) == run_folder.identity(now) == "flag=False\nnew=None\nseed=1"
    )
    for on in (Flat(seed="1", new="True"), Flat(seed="1", new="0"), Flat(seed="1", gone="False"), Flat(gone="None")):
        with pytest.raises(ValueError, match="another config"):
            run_folder.check_same(tmp_path, on)

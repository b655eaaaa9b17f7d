"""Damaged files are read or refused; scripts/attack.py does the same with thousands of copies of each."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from scripts.attack import READ, REFUSED, damaged, outcome
from tests.support.readers import READERS


@pytest.mark.filterwarnings("ignore")  # of image libraries
@pytest.mark.parametrize("name", READERS)
def test_damaged_copies_are_read_or_refused(name: str, tmp_path: Path) -> None:
    path = READERS[name].make(tmp_path)
    content = path.read_bytes()
    assert outcome(name, path, content) == READ
    chance = random.Random(name)
    outcomes = [outcome(name, path, damaged(content, chance)) for _ in range(4)]
    assert set(outcomes) <= {READ, REFUSED}

"""One browser for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    opened = Chromium()
    yield opened
    opened.close()

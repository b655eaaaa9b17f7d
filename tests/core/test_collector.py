"""Garbage collector off for a block: on again after it, and only where it was on before."""

from __future__ import annotations

import gc

from lrx.core.collector import collector_off


def test_collector_is_off_in_nested_blocks() -> None:
    with collector_off():
        with collector_off():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()

"""Garbage collection off for a block: on again after it, and only where it was on before."""

from __future__ import annotations

import gc

from lrx.core.garbage_collection import without_garbage_collection


def test_off_in_nested_blocks_and_on_after() -> None:
    with without_garbage_collection():
        with without_garbage_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()

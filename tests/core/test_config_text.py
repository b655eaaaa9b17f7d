"""Text of a config, flattened."""

from __future__ import annotations

from lrx.core.config_text import flatten


def test_flatten_reads_key_by_key() -> None:
    text = "a: 1\nb:\n  c: null\n  d:\n  - 1\n  - x\nthen:\n- paper\n- assay.only=[a]\ne: '2: 3'\nf: true\n"
    assert flatten(text) == {
        "a": 1,
        "b.c": None,
        "b.d": [1, "x"],
        "then": ["paper", "assay.only=[a]"],
        "e": "2: 3",
        "f": True,
    }

"""Layouts: names without what wrappers and prefixes add, then renamed and joined."""

from __future__ import annotations

import pytest
import torch

from lrx.storage.state_dict_layouts import Layout

RENAME = {r"net\.enc\.": "encoder."}
ONE = torch.ones(1)


@pytest.mark.parametrize("key", ["net.enc.w", "a.b.net.enc.w", "model.module.net.enc.w", "net._orig_mod.enc.module.w"])
def test_prefix_is_removed_before_names(key: str) -> None:
    assert list(Layout(rename=RENAME, join={})({key: ONE})) == ["encoder.w"]


@pytest.mark.parametrize("key", ["w", "a.w", "a.b.w"])
def test_names_of_another_layout_end(key: str) -> None:
    assert list(Layout(rename=RENAME, join={})({key: ONE})) == ["w"]


def test_parts_of_a_join_are_known_names() -> None:
    weights = {"heads.mean": torch.zeros(2), "heads.spread": torch.ones(2)}
    joined = Layout(rename=RENAME, join={"head": ["heads.mean", "heads.spread"]})(weights)
    assert torch.equal(joined["head"], torch.tensor([0.0, 0, 1, 1]))


def test_plain_names_stay() -> None:
    assert list(Layout(rename={}, join={})({"model.a": ONE, "module.b": ONE})) == ["model.a", "module.b"]

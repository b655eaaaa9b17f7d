"""Strips: what is drawn of views, the same each time."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from lrx.explore.session import Session
from lrx.explore.strip import FORMATS, draw
from tests.explore.sessions import linear, pictures


@pytest.mark.parametrize("session", [linear(), pictures()], ids=["vectors", "images"])
def test_svg_has_captions_and_is_repeatable(session: Session) -> None:
    views = [session.view({"image": 1, "set": {1: 1.5}}), session.view({"image": 1, "other": 2, "mix": 0.5})]
    first = draw(session, views, session.order, "svg")
    assert draw(session, views, session.order, "svg") == first
    text = "".join(ET.fromstring(first).itertext())
    assert "image 1 · 1 := 1.5" in text
    assert "50 % of image 2" in text


def test_png_shows_the_decoded_pixels() -> None:
    session = pictures()
    views = [session.view({"image": 63}), session.view({"image": 0})]  # a bright square below right, a dark one above
    drawn = np.asarray(Image.open(io.BytesIO(draw(session, views, [], "png"))).convert("L")).astype(int)
    left, right = np.array_split(drawn, 2, axis=1)
    assert (left == 240).sum() > 200
    assert (left == 60).sum() < 20  # of the edges of letters
    assert (right == 60).sum() > 200


def test_long_strips_have_several_rows() -> None:
    session = linear()
    short, long = (draw(session, [session.view({"image": 1})] * count, [0], "png") for count in (8, 9))
    sizes = [Image.open(io.BytesIO(content)).size for content in (short, long)]
    assert sizes[0][0] == sizes[1][0]
    assert sizes[1][1] > 1.8 * sizes[0][1]


def test_formats_begin_as_such_files_do() -> None:
    session = linear()
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    assert {*starts} == {*FORMATS}
    for kind, start in starts.items():
        assert draw(session, [session.view({"image": 1})], [0], kind).startswith(start)

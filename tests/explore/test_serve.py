"""Sockets of the page: loopback alone."""

from __future__ import annotations

import pytest

from lrx.explore.serve import listen


def test_socket_is_on_loopback_alone() -> None:
    with listen(None) as bound:
        host, port = bound.getsockname()
        assert host == "127.0.0.1"
        with pytest.raises(ValueError, match=f"port={port} cannot be had .*leave port out"):
            listen(port)

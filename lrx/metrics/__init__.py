"""Established disentanglement metrics: one file each, pure functions of codes and factors.

The package is a function, too: `lrx.metrics(codes, factors)` scores codes of any origin (`lrx.assays.interface`).
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType


class _Package(ModuleType):
    """Package that can be called."""

    def __call__(self, *arrays: object, **settings: object) -> object:
        """Return the scores of codes and factors, as `lrx.assays.interface.metrics` says."""
        # resolved by the call, since this room imports nothing above it
        return importlib.import_module("lrx.assays.interface").metrics(*arrays, **settings)


sys.modules[__name__].__class__ = _Package

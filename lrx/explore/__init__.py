"""Exploration of a model by hand: a page on loopback, with sliders of latents and the responses that they move.

The package is a function, too: `lrx.explore(model, images)` serves the page (`lrx.explore.interface`).
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType


class _Package(ModuleType):
    """Package that can be called."""

    def __call__(self, *model_and_data: object, **settings: object) -> object:
        """Serve the page of a model, as `lrx.explore.interface.explore` says."""
        return importlib.import_module("lrx.explore.interface").explore(*model_and_data, **settings)


sys.modules[__name__].__class__ = _Package

"""Code outside lrx: which models are made of it, and where in it an error came from."""

from __future__ import annotations

import re
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

ADAPTERS = ("lrx.core.adapt", "lrx.core.flat_codes", "lrx.core.latent_scale")  # modules whose classes wrap a `model`
# torch's words, for the computer's memory and for a card's
# ALLOC_FAILED: of cuBLAS and cuDNN, which allocate beside torch
OUT_OF_MEMORY = re.compile(r"(not enough|can't allocate|out of) memory|CU(BLAS|DNN)_STATUS_ALLOC_FAILED", re.I)


class ForeignError(ValueError):
    """Error of code outside lrx, in one line with the file and line it came from."""


def is_foreign(model: object) -> bool:
    """Return whether the class of a model is none of lrx's own; of an adapter, the class that it wraps."""
    return not type(unwrapped(model)).__module__.startswith("lrx.")


def unwrapped(model: object) -> object:
    """Return the model that adapters of lrx wrap, or a model itself."""
    while type(model).__module__ in ADAPTERS:
        model = getattr(model, "model", None)
    return model


def packages_of(model: object) -> set[str]:
    """Return the packages, other than lrx and torch, of the classes that a model and its modules have."""
    modules = list(model.modules()) if hasattr(model, "modules") else [model]
    return {type(module).__module__.partition(".")[0] for module in modules} - {"lrx", "torch"}


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory is full, of the computer or of a card."""
    return isinstance(error, MemoryError) or bool(isinstance(error, RuntimeError) and OUT_OF_MEMORY.search(str(error)))


def located(error: BaseException, packages: Collection[str]) -> str:
    """Return an error as one line: the last line of these packages that it passed through, its type, its message."""
    text = " ".join(str(error).split())
    return f"{_place(error, packages)}{type(error).__name__}" + (f": {text}" if text else "")


@contextmanager
def foreign_errors(packages: Collection[str]) -> Iterator[None]:
    """Raise errors of the block that passed through code of these packages as ForeignError; others as they are."""
    try:
        yield
    except ForeignError:
        raise
    except Exception as error:  # whatever foreign code does
        if is_out_of_memory(error) or not _place(error, packages):
            raise
        raise ForeignError(located(error, packages)) from error


def _place(error: BaseException, packages: Collection[str]) -> str:
    """Return `file, line, function: ` of the innermost frame of these packages; empty where there is none."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] in packages:
            file = Path(frame.f_code.co_filename)
            here = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
            place = f"{here}, line {line}, in {frame.f_code.co_name}: "
    return place

"""Targets: the code that a `_target_` of a config names, which of it may run, and which keywords it takes."""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import re
import sys
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import yaml

from lrx.core.foreign_code import located
from lrx.core.text import join_names

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where PyYAML has libyaml
EXTRAS = ("diffusers",)  # packages of classes that have an extra of lrx of their name
Leaves = Iterable[tuple[str, object]]  # dotted keys and values
SPARSE_AUTOENCODER = "lrx.models.sparse_autoencoder.SparseAutoencoder"  # which `lrx import` names, and no yaml


def config_folder() -> Path:
    """Return the folder of the yaml files that lrx ships."""
    return Path(importlib.import_module("lrx.configs").__path__[0])


@functools.cache
def own_targets() -> frozenset[str]:
    """Return every `_target_` that lrx's own yaml files of parts, or `lrx import`, name; a stored config may name these
    only."""
    targets = {SPARSE_AUTOENCODER}
    for file in config_folder().rglob("*.yaml"):
        if file.relative_to(config_folder()).parts[0] != "hydra":  # launchers belong to the command line alone
            targets |= _targets_in(yaml.load(file.read_text(encoding="utf-8"), Loader=LOADER))
    return frozenset(targets)


def _targets_in(value: object) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_targets_in, value))
    if not isinstance(value, dict):
        return set()
    own = {str(value["_target_"])} if value.get("_target_") else set()
    return own.union(*map(_targets_in, value.values()))


def check_trusted(leaves: Leaves, trust: object, *, source: str) -> None:
    """Check that every `_target_` is one of lrx's own, or below `autoencoder` one of a package that `trust` lists.

    A package that is trusted may also be a file of the current folder, which then is importable. source: whose config
    the error is about. ValueError names the key and the target.
    """
    if isinstance(trust, str) or not all(isinstance(name, str) and name for name in typing.cast(list[str], trust)):
        raise ValueError(f"trust must list packages whose code may be run, as in trust=[mypackage], not {trust!r}")
    packages = typing.cast(list[str], trust)
    for key, target in leaves:
        if key.rpartition(".")[2] != "_target_" or target is None or target in own_targets():
            continue
        trustable = key.startswith("autoencoder.")
        if not (trustable and any(str(target).startswith(f"{name}.") for name in packages)):
            remedy = f"; if you know that code, add trust=[{str(target).partition('.')[0]}]" if trustable else ""
            raise ValueError(f"{source} has {key}={target}, which no config of lrx names; it is not run{remedy}")
    if packages:
        import_from_current_folder()


def import_from_current_folder() -> None:
    """Have modules of the current folder found after everything that is installed, so that they shadow nothing."""
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())


def import_target(key: str, target: str) -> object:
    """Return what a dotted name leads to. ValueError says which part is not there, and what is."""
    setting = f"{key}={target}"
    module, _, name = target.rpartition(".")
    if not module:
        raise ValueError(f"{setting} is no dotted name; give package.Class")
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise ValueError(f"{setting}: {module} itself needs {error.name}, which is not installed") from error
        if error.name in EXTRAS:
            raise ValueError(f"{setting}: {error.name} is not installed: pip install 'lrx[{error.name}]'") from error
        raise ValueError(
            f"{setting}: there is no module {error.name}, neither in the current folder nor installed; "
            "give package.Class"
        ) from error
    except Exception as error:  # whatever foreign code does while it is imported
        reason = located(error, {module.partition(".")[0]})
        raise ValueError(f"{setting}: {module} cannot be imported, {reason}") from error
    if not hasattr(imported, name):
        own = [key for key, value in vars(imported).items() if inspect.isclass(value) and value.__module__ == module]
        raise ValueError(f"{setting}: {module} has no {name}; its classes are {join_names(own, most=20) or 'none'}")
    return getattr(imported, name)


def keywords_of(function: Callable[..., object]) -> set[str]:
    """Return the keywords that a call names; of `**settings: Unpack[T]`, the keys of the TypedDict T.

    A plain `**kwargs`, such as that of a foreign class that hands it on to nn.Module, promises nothing.
    """
    names = set()
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is not parameter.VAR_KEYWORD:
            names.add(parameter.name)
        elif parameter.annotation is not parameter.empty:
            annotation = inspect.signature(function, eval_str=True).parameters[parameter.name].annotation
            if typing.get_origin(annotation) is typing.Unpack:
                (settings,) = typing.get_args(annotation)
                names |= set(settings.__required_keys__ | settings.__optional_keys__)
    return names


def with_tuples(function: Callable[..., object], keywords: Mapping[str, object]) -> dict[str, object]:
    """Return keywords of a call, lists as tuples where the parameter is annotated as a tuple or has one as default.

    The command line has lists alone, which equal no tuple and are no key of a mapping.
    """
    parameters = inspect.signature(function).parameters
    return {name: _as_tuples(value) if _is_tuple(parameters.get(name)) else value for name, value in keywords.items()}


def _is_tuple(parameter: inspect.Parameter | None) -> bool:
    if parameter is None or parameter.kind is parameter.VAR_KEYWORD:
        return False
    annotation = inspect.formatannotation(parameter.annotation)  # as text: its names may be for type checkers alone
    stated = re.search(r"\b[Tt]uple\b", annotation) and not re.search(r"\b([Ll]ist|Sequence)\b", annotation)
    return bool(stated) or isinstance(parameter.default, tuple)


def _as_tuples(value: object) -> object:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value

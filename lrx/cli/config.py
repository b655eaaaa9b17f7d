"""A composed config as the commands see it: plain values, plain objects, its own text, and what it may run.

Beside cli.py, the only file that knows Hydra and OmegaConf.
"""

from __future__ import annotations

import copy
import difflib
import functools
import importlib
import inspect
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import hydra
import yaml
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from lrx.core.text import join_names
from lrx.core.validation import SettingError


class Config:
    """A composed config, handed to a command: plain values, plain objects, and itself as text."""

    def __init__(self, node: DictConfig, choices: dict[str, str], overrides: tuple[str, ...] = ()) -> None:
        self._node, self.choices, self.overrides = node, choices, overrides

    @classmethod
    def from_text(cls, text: str, choices: dict[str, str], overrides: tuple[str, ...]) -> Config:
        """The config that a run folder keeps, which may come from anywhere: it vouches for no code, itself least."""
        node = _parsed(text)
        OmegaConf.update(node, "trust", [], force_add=True)
        config = cls(node, choices, overrides)
        config.check_targets(_resolved(node))
        return config

    @property
    def text(self) -> str:
        """The whole config as yaml, with interpolations as they were written."""
        return OmegaConf.to_yaml(self._node)

    def flat(self, text: str | None = None) -> dict[str, str]:
        """Every dotted key and its value as text, interpolations as written: of this config, or of another's text."""
        node = self._node if text is None else _parsed(text)
        return {key: str(value) for key, value in _leaves(OmegaConf.to_container(node, resolve=False))}

    def value(self, key: str) -> object:
        """A single value by its dotted key."""
        return OmegaConf.select(self._node, key)

    def plain(self, key: str) -> object:
        """A value of any kind by its dotted key, lists and mappings as python's own."""
        value = self.value(key)
        return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value

    def replaced(self, key: str, value: object) -> Config:
        """The same config with another value of one key, which is not among the overrides then."""
        node = copy.deepcopy(self._node)
        OmegaConf.update(node, key, value)
        return Config(node, self.choices, tuple(word for word in self.overrides if not word.startswith(f"{key}=")))

    def without(self, key: str) -> Config:
        """Return the same config without one dotted key."""
        node = copy.deepcopy(self._node)
        parent, _, name = key.rpartition(".")
        holder = OmegaConf.select(node, parent)
        if isinstance(holder, DictConfig):
            with open_dict(holder):
                holder.pop(name, None)
        return Config(node, self.choices, self.overrides)

    def target(self, key: str) -> str:
        """The name of the class or function that the node `key` describes."""
        return str(self._node[key]["_target_"]).rpartition(".")[2]

    def build(self, key: str, **given: object) -> object:
        """The object that the node `key` describes. Keywords that its target does not take are left out.

        ValueError names the node when it is not there, or a value is of a kind that its target cannot take.
        """
        node = self._node.get(key)
        if not isinstance(node, DictConfig) or "_target_" not in node:
            raise ValueError(f"this config does not say what its {key} is")
        bound = _bound(key, node)
        accepted = inspect.signature(bound).parameters
        # of ours, **settings says what it takes; that of a foreign class, such as nn.Module's own, promises nothing
        takes_all = any("Unpack" in str(parameter.annotation) for parameter in accepted.values())
        extra = {name: value for name, value in given.items() if takes_all or name in accepted}
        try:
            return functools.partial(bound, **extra) if node.get("_partial_") else bound(**extra)
        except SettingError as error:
            raise ValueError(f"{key}.{error}") from error
        except TypeError as error:
            raise ValueError(f"{key}={self.choices.get(key, '...')}: {error}") from error

    def stored(self, text: str, *, override: str) -> Config:
        """The config that a checkpoint holds, resolved, once its targets are known to be lrx's own or trusted.

        override: the key of a node of this config whose values, where not null, replace those of the stored one.
        """
        try:
            node = _parsed(text)
            for key, value in self._node[override].items():
                if value is not None:
                    OmegaConf.update(node, f"{override}.{key}", value, force_add=True)
            node = _resolved(node)
        except (ValueError, OmegaConfBaseException) as error:
            raise ValueError(f"the checkpoint's config cannot be used: {error}") from error
        self.check_targets(node)
        return Config(node, {})

    def check_targets(self, node: object = None) -> None:
        """ValueError for a `_target_` of a node (None: of this config) whose code nobody vouched for.

        The targets that lrx's own yaml files name are known. Below `autoencoder`, so is what lies in a package or a
        module that the key `trust` of this config lists; it may also be a file of the current folder.
        """
        trust = OmegaConf.select(self._node, "trust") or []
        if isinstance(trust, str) or not all(isinstance(name, str) and name for name in trust):
            raise ValueError(f"trust must list packages whose code may be run, as in trust=[mypackage], not {trust!r}")
        own = _own_targets()
        for key, value in _leaves(OmegaConf.to_container(cast(DictConfig, self._node if node is None else node))):
            if key.rpartition(".")[2] != "_target_" or value in own:
                continue
            mine = key.startswith("autoencoder.")
            if not (mine and any(str(value).startswith(f"{name}.") for name in trust)):
                whose = "this config" if node is None else "the checkpoint's config"
                way = f"; if you know that code, add trust=[{str(value).partition('.')[0]}]" if mine else ""
                raise ValueError(f"{whose} has {key}={value}, which no config of lrx names; it is not run{way}")
        if trust and os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())  # after everything installed, so that it shadows nothing


def _bound(key: str, node: DictConfig) -> functools.partial[object]:
    """The target of a node with the node's own keys. ValueError when there is no such target, or it has no such key."""
    target = str(node["_target_"])
    if target not in _own_targets():
        _check_there(f"{key}._target_={target}", target)
    bound: functools.partial[object] = hydra.utils.instantiate(node, _partial_=True, _convert_="all")
    try:
        inspect.signature(bound)
    except ValueError as error:  # its keywords do not fit
        known = [name for name in inspect.signature(bound.func).parameters if not name.startswith("_")]
        strange = [str(name) for name in node if not str(name).startswith("_") and name not in known]
        if not strange:
            raise
        likely = difflib.get_close_matches(strange[0], known, n=1)
        hint = f"is it {key}.{likely[0]}?" if likely else f"its keys are {join_names(known, most=20)}"
        raise ValueError(f"{key} has no key {join_names(strange)}; {hint}") from error
    return bound


def _check_there(given: str, target: str) -> None:
    """ValueError unless a dotted name of a person's own leads somewhere; which part is not there, and what is."""
    module, _, name = target.rpartition(".")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise ValueError(f"{given}: {module} itself needs {error.name}, which is not installed") from error
        raise ValueError(
            f"{given}: there is no module {error.name}, neither in the current folder nor installed; give package.Class"
        ) from error
    except Exception as error:  # whatever foreign code does while it is imported
        raise ValueError(f"{given}: {module} cannot be imported, {type(error).__name__}: {error}") from error
    if not hasattr(found, name):
        own = [key for key, value in vars(found).items() if inspect.isclass(value) and value.__module__ == module]
        raise ValueError(f"{given}: {module} has no {name}; its classes are {join_names(own, most=20) or 'none'}")


def _parsed(text: str) -> DictConfig:
    """A config of a file, which may come from anywhere; ValueError when it is no mapping in yaml."""
    try:
        if "*" in text and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise ValueError("it has aliases, with which a short text describes a config of any size")
        node = OmegaConf.create(text)
    except (yaml.YAMLError, OmegaConfBaseException, RecursionError) as error:
        raise ValueError(f"it is no config in yaml: {error}") from error
    if not isinstance(node, DictConfig) or not node:
        raise ValueError("it is no config, but a list or nothing")
    return node


def _resolved(node: DictConfig) -> DictConfig:
    """A config without interpolations: one can make a whole node, so what is checked must be what is built.

    ValueError where one is left: resolving turns an escaped one into one that is resolved at the next reading.
    """
    resolved = copy.deepcopy(node)
    OmegaConf.resolve(resolved)
    left = [key for key, value in _leaves(OmegaConf.to_container(resolved)) if "${" in f"{key}{value}"]
    if left:
        raise ValueError(f"it has an interpolation within an interpolation at {left[0]}")
    return resolved


def _leaves(value: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every value that is no list or mapping, with its dotted key."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _own_targets() -> set[object]:
    """Every `_target_` that lrx's own yaml files name. A checkpoint may come from anywhere; it may name these only."""
    targets: set[object] = set()
    for file in Path(importlib.import_module("lrx.configs").__path__[0]).rglob("*.yaml"):
        leaves = _leaves(OmegaConf.to_container(OmegaConf.load(file)))
        targets |= {value for key, value in leaves if key.rpartition(".")[2] == "_target_"}
    return targets

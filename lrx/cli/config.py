"""Composed config as commands see it: plain values, plain objects, and its own text."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import hydra
import yaml
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from lrx.cli.targets import check_trusted, import_target, keywords_of, own_targets, with_tuples
from lrx.core.config_text import has_aliases, leaves
from lrx.core.foreign_code import ForeignError, foreign_errors
from lrx.core.text import did_you_mean, join_names
from lrx.core.validation import SettingError
from lrx.runs.former_names import current_node


class Config:
    """Composed config of a command.

    choices: the option of each group, such as {"model": "vae"}. overrides: `key=value`, as typed.
    """

    def __init__(self, node: DictConfig, choices: Mapping[str, str], overrides: tuple[str, ...] = ()) -> None:
        self._node, self.choices, self.overrides = node, dict(choices), overrides

    @classmethod
    def from_text(cls, text: str, choices: Mapping[str, str], overrides: tuple[str, ...]) -> Config:
        """Load a run folder's config as untrusted: `trust` is cleared and every `_target_` is checked."""
        node = _parse(text)
        OmegaConf.update(node, "trust", [], force_add=True)
        config = cls(node, choices, overrides)
        config.check_targets(_resolve(node))
        return config

    @property
    def text(self) -> str:
        """Config as yaml, interpolations as they were written."""
        return OmegaConf.to_yaml(self._node)

    def flat(self) -> dict[str, str]:
        """Return every dotted key and its value as text, interpolations as written; lists have a key for each place."""
        return {key: str(value) for key, value in _leaves(self._node)}

    def value(self, key: str) -> object:
        """Return a single value by its dotted key; None where there is none."""
        return OmegaConf.select(self._node, key)

    def plain(self, key: str) -> object:
        """Return a value of any kind by its dotted key, lists and mappings as python's own."""
        value = self.value(key)
        return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value

    def replaced(self, key: str, value: object) -> Config:
        """Return the same config with another value of one key, which is not among the overrides then."""
        node = copy.deepcopy(self._node)
        OmegaConf.update(node, key, value, force_add=True)
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
        """Return the name of the class or function that the node `key` describes."""
        return str(self._node[key]["_target_"]).rpartition(".")[2]

    def build(self, key: str, **extra: object) -> object:
        """Build the object that the node `key` describes; of `extra`, its target gets the keywords that it takes.

        ValueError names the node when it is not there, or a value is not one that its target can take.
        """
        node = self._node.get(key)
        if not isinstance(node, DictConfig) or "_target_" not in node:
            raise ValueError(f"this config does not say what its {key} is")
        function = _target_with_settings(key, node)
        taken = keywords_of(function)
        function = functools.partial(function, **{name: value for name, value in extra.items() if name in taken})
        if node.get("_partial_"):
            return _in_group(key, function)
        try:
            with setting_group(key), foreign_errors(_packages_outside(str(node["_target_"]))):
                return function()
        except ForeignError as error:
            lists = [f"{key}.{name}" for name, value in function.keywords.items() if isinstance(value, list)]
            note = f"; {join_names(lists)} came as a list; a parameter annotated as a tuple gets one" if lists else ""
            raise ForeignError(f"{key}._target_={node['_target_']}: {error}{note}") from error
        except TypeError as error:
            raise ValueError(f"{key}={self.choices.get(key, '...')}: {error}") from error

    def stored(self, text: str, *, override: str) -> Config:
        """Return the config that a checkpoint holds, resolved; ValueError for a `_target_` that may not run.

        override: the key of a node of this config whose values, where not null, replace those of the stored one.
        """
        try:
            node = _parse(text)
            for key, value in self._node[override].items():
                if value is not None:
                    OmegaConf.update(node, f"{override}.{key}", value, force_add=True)
            node = _resolve(node)
        except (ValueError, OmegaConfBaseException) as error:
            raise ValueError(f"the checkpoint's config cannot be used: {error}") from error
        self.check_targets(node, source="the checkpoint's config")
        return Config(node, {})

    def check_targets(self, node: DictConfig | None = None, source: str = "this config") -> None:
        """Check that the `_target_`s of a node (None: of this config) are lrx's own or trusted by the key `trust`."""
        leaves = _leaves(self._node if node is None else node)
        check_trusted(leaves, self.plain("trust") or [], source=source)


@contextmanager
def setting_group(key: str) -> Iterator[None]:
    """Put the group of a setting, such as `model`, before the setting's name in errors of the block."""
    try:
        yield
    except SettingError as error:
        group = "dataset" if key == "official" else key  # official files are chosen by the settings of their data set
        raise ValueError(f"{group}.{error}") from error


def _packages_outside(target: str) -> set[str]:
    """Return the package of a target that is not lrx's own."""
    return set() if target in own_targets() else {target.partition(".")[0]}


def _in_group(key: str, function: functools.partial[object]) -> Callable[..., object]:
    """Return the function, whose SettingErrors name the group."""

    @functools.wraps(function)
    def call(*args: object, **keywords: object) -> object:
        with setting_group(key):
            return function(*args, **keywords)

    return call


def _target_with_settings(key: str, node: DictConfig) -> functools.partial[object]:
    """Return the target of a node with the node's own keys. ValueError for no such target, or no such key of it."""
    target = str(node["_target_"])
    if target not in own_targets():
        import_target(f"{key}._target_", target)
    function: functools.partial[object] = hydra.utils.instantiate(node, _partial_=True, _convert_="all")
    if target not in own_targets():
        function = functools.partial(function.func, *function.args, **with_tuples(function.func, function.keywords))
    try:
        inspect.signature(function)
    except ValueError as error:  # its keywords do not fit
        names = sorted(name for name in keywords_of(function.func) if not name.startswith("_"))
        unknown = [str(name) for name in node if not str(name).startswith("_") and name not in names]
        if not unknown:
            raise
        near = did_you_mean(unknown[0], names, prefix=f"{key}.")
        hint = near or f"; its keys are {join_names(names, most=20)}"
        raise ValueError(f"{key} has no key {join_names(unknown)}{hint}") from error
    return function


def _parse(text: str) -> DictConfig:
    """Return the config that a file holds, under today's names; ValueError when it is no mapping in yaml."""
    try:
        if has_aliases(text):
            raise ValueError("it has aliases, with which a short text describes a config of any size")
        node = OmegaConf.create(text)
        if isinstance(node, DictConfig):
            node = OmegaConf.create(cast(dict[str, object], current_node(OmegaConf.to_container(node))))
    except (yaml.YAMLError, OmegaConfBaseException, RecursionError) as error:
        raise ValueError(f"it is no config in yaml: {error}") from error
    if not isinstance(node, DictConfig) or not node:
        raise ValueError("it is no config, but a list or nothing")
    return node


def _resolve(node: DictConfig) -> DictConfig:
    """Return a config without interpolations: one can make a whole node, so what is checked must be what is built.

    ValueError where one is left: resolving turns an escaped one into one that is resolved at the next reading.
    """
    resolved = copy.deepcopy(node)
    OmegaConf.resolve(resolved)
    left = [key for key, value in _leaves(resolved) if "${" in f"{key}{value}"]
    if left:
        raise ValueError(f"it has an interpolation within an interpolation at {left[0]}")
    return resolved


def _leaves(node: DictConfig) -> Iterator[tuple[str, object]]:
    """Yield every value that is no list or mapping, with its dotted key."""
    return leaves(OmegaConf.to_container(node), split_lists=True)

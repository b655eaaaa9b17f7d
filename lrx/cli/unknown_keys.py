"""Keys that a config does not have: the choice of a group that has them, or the nearest key."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hydra._internal.config_repository import IConfigRepository
from omegaconf import DictConfig, OmegaConf

from lrx.core.text import did_you_mean, join_names

NO_KEY = re.compile(r"(?:Could not override|Could not delete from config\.) '([^']*)'")  # of Hydra


def about_unknown(key: str, config: DictConfig, repository: IConfigRepository) -> str:
    """Return the line about a key that the config lacks: which choices of its group have it, else the nearest key.

    config: composed without the words that set keys, so with the choices of groups that were typed.
    """
    parent, _, name = key.rpartition(".")
    line, group = f"there is no key {key}", key.partition(".")[0]
    if parent and parent == group and repository.group_exists(group):
        having = [choice for choice in repository.get_group_options(group) if _has(repository, group, choice, name)]
        if having:
            chosen = config.hydra.runtime.choices.get(group)
            return f"{line} with {group}={chosen}; {join_names([f'{group}={choice}' for choice in having], most=3)}" + (
                " have it" if len(having) > 1 else " has it"
            )
    node = OmegaConf.select(config, parent) if parent else config
    siblings = [str(other) for other in node if not str(other).startswith("_")] if isinstance(node, DictConfig) else []
    if parent:
        near = did_you_mean(name, siblings, prefix=f"{parent}.")
        if near:
            return line + near
    every = [*_keys(config, is_hydra=group == "hydra"), *repository.get_group_options("")]
    alike = [other for other in every if other.rpartition(".")[2] == name]
    if alike:
        return f"{line}; did you mean {alike[0]}?"
    if parent and siblings:
        return f"{line}; {parent} has {join_names(siblings, most=12)}"
    return line + (did_you_mean(key, every) or "; --help lists the keys")


def _has(repository: IConfigRepository, group: str, choice: str, name: str) -> bool:
    loaded = repository.load_config(f"{group}/{choice}")
    return loaded is not None and isinstance(loaded.config, DictConfig) and name in loaded.config


def _keys(node: DictConfig, *, is_hydra: bool, prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of a config, those of Hydra's own part alone or left out."""
    for name in node:
        key = prefix + str(name)
        if str(name).startswith("_") or (not prefix and (name == "hydra") != is_hydra):
            continue
        yield key
        inner = node._get_node(name)
        if isinstance(inner, DictConfig) and not inner._is_none() and not inner._is_missing():
            yield from _keys(inner, is_hydra=is_hydra, prefix=f"{key}.")

"""Config files as flat mappings of dotted keys, read from yaml that may come from anywhere.

Messages of errors are predicates, such as `must be a mapping`, to be put after the name of the file.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TypeVar

import yaml

from lrx.core.text import printable

T = TypeVar("T")
LARGEST = 2**20  # characters of a config
MOST_KEYS = 10_000
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where PyYAML has libyaml
YAML_ERRORS = (yaml.YAMLError, RecursionError, TypeError, OverflowError, LookupError, AttributeError, ValueError)


def flatten(text: str, *, split_lists: bool = False) -> dict[str, object]:
    """Return every dotted key of a config in yaml with its value.

    A list is one value, or with `split_lists` one of each place, as in `trust.0`. ValueError for a text that is no
    mapping, has aliases (by which a short text describes a config of any size), or is larger than any config of lrx.

    >>> flatten("model: {beta: 4.0, betas: [1, 2]}")
    {'model.beta': 4.0, 'model.betas': [1, 2]}
    """
    if len(text) > LARGEST:
        raise ValueError(f"has {len(text):,} characters; at most {LARGEST:,}")
    # key by key, which a cache remembers, as most of a run's config is that of the run before
    blocks = re.split(r"(?m)^(?=[^\s#-])", text)
    flat: dict[str, object] = {}
    for block in blocks if len(blocks) <= MOST_KEYS else []:
        flat |= _flat_block(block, split_lists)
    count = max(len(blocks), len(flat))
    if count > MOST_KEYS:
        raise ValueError(f"has {count:,} keys; at most {MOST_KEYS:,}")
    return flat


def stated(flat: Mapping[str, T]) -> dict[str, T]:
    """Return the keys of a config that say what its model is: lrx's model and network are no part of a foreign class.

    >>> stated({"autoencoder._target_": "mynet.Net", "model.beta": 4.0, "seed": 0})
    {'autoencoder._target_': 'mynet.Net', 'seed': 0}
    """
    unused = ("model.", "network.") if names_foreign_class(flat) else ()
    return {key: value for key, value in flat.items() if not key.startswith(unused)}


def names_foreign_class(flat: Mapping[str, object]) -> bool:
    """Return whether the model of a config is a class of the user's own."""
    return flat.get("autoencoder._target_") not in (None, "None")


def leaves(node: object, prefix: str = "", *, split_lists: bool = False) -> Iterator[tuple[str, object]]:
    """Yield the values of nested mappings with their dotted keys; see `flatten`."""
    if isinstance(node, Mapping) or (split_lists and isinstance(node, list)):
        for key, value in node.items() if isinstance(node, Mapping) else enumerate(node):
            yield from leaves(value, f"{prefix}.{key}" if prefix else str(key), split_lists=split_lists)
    else:
        yield prefix, node


def has_aliases(text: str) -> bool:
    """Return whether yaml has aliases, which repeat a part of it. yaml.YAMLError for a text that cannot be parsed."""
    return "*" in text and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=LOADER))


@functools.lru_cache(maxsize=4096)
def _flat_block(block: str, split_lists: bool) -> Mapping[str, object]:
    try:
        aliases = has_aliases(block)
        content = None if aliases else yaml.load(block, Loader=LOADER)
        flat = dict(leaves(content, split_lists=split_lists)) if isinstance(content, dict) else {}
    except YAML_ERRORS as error:
        raise ValueError(printable(f"is damaged ({type(error).__name__}: {error})")) from error
    if aliases:
        raise ValueError("has YAML aliases, which lrx never writes")
    if content is not None and not isinstance(content, dict):
        raise ValueError("must be a mapping")
    return MappingProxyType(flat)

"""Groups of runs: the settings in which configs differ, and runs that differ in their seeds alone."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from lrx.runs import former_names
from lrx.runs.run_folder import AUTO, OFF, is_free

SEEDS = ("seed", "assay.seed")
INPUTS = ("assay.ckpt", "assay.shard")  # which model an assay measured, and in how many jobs
KIND = "model.reconstruction"
V = TypeVar("V")

Config = Mapping[str, object]  # dotted keys and values


def current_config(config: Mapping[str, V], provenance: Mapping[str, V]) -> dict[str, V]:
    """Return a config with the names and values that lrx has now, so that runs of several versions compare.

    `model.reconstruction=auto` becomes what it stands for, where the provenance of a result says it.
    """
    current = former_names.current_flat(config)
    if current.get(KIND) == AUTO and "reconstruction" in provenance:
        current[KIND] = provenance["reconstruction"]
    return current


def differing_keys(configs: Sequence[Config]) -> set[str]:
    """Return the keys whose values differ between configs, or that some of them lack while others have them on."""
    distinct: dict[str, dict[str, object]] = defaultdict(dict)  # values of each key by their representation
    counts = Counter(key for config in configs for key in config)
    for config in configs:  # one after the other, which memory is quicker at than key by key
        for key, value in config.items():
            distinct[key].setdefault(repr(value), value)
    texts = {key: {_value(value) for value in values.values()} for key, values in distinct.items()}
    return {key for key, some in texts.items() if len(some if counts[key] == len(configs) else {*some, ""}) > 1}


def varying_keys(configs: Sequence[Config]) -> list[str]:
    """Return the keys with several values among the configs that have them; free keys (run_folder.FREE) left out."""
    values: dict[str, set[str]] = {}
    for config in configs:
        for key, value in config.items():
            values.setdefault(key, set()).add(repr(value))
    return [key for key, several in values.items() if len(several) > 1 and not _is_free(key)]


def without_seed(config: Config) -> Hashable:
    """Return what runs that differ in their seed alone have in common.

    A key that is off (null or false) is the same as one that is missing, which lrx gained or lost between versions.
    """
    texts = ((key, _value(value)) for key, value in config.items() if _counts(key))
    return frozenset((key, text) for key, text in texts if text)


def distinguishing_keys(configs: Sequence[Config], keys: Sequence[str]) -> list[str]:
    """Return the keys, models first, that each split groups which those before it leave together."""
    chosen: list[str] = []
    for key in sorted(keys, key=lambda key: not key.endswith("_target_")):
        groups, finer = ({tuple(repr(c.get(k)) for k in some) for c in configs} for some in (chosen, [*chosen, key]))
        if len(finer) > len(groups):
            chosen.append(key)
    return chosen


def few_groups(configs: Sequence[Config], keys: Sequence[str], most: int) -> list[str]:
    """Return the first of these keys, as many as make at most so many groups."""
    for count in range(len(keys), 0, -1):
        if len({tuple(repr(config.get(key)) for key in keys[:count]) for config in configs}) <= most:
            return [*keys[:count]]
    return []


def group_label(config: Config, keys: Sequence[str]) -> str:
    """Name a group of runs by the values of the keys that distinguish it.

    >>> group_label({"model._target_": "lrx.models.vae.VAE", "model.beta": 4.0}, ["model._target_", "model.beta"])
    'VAE, beta 4.0'
    """
    parts = [
        value_text(config, key) if key.endswith("_target_") else f"{short_key(key).rpartition('.')[2]} {config[key]}"
        for key in keys
        if key in config
    ]
    return ", ".join(parts) or "all runs"


def short_key(key: str) -> str:
    """Shorten a key: `model._target_` is the model."""
    return key.removesuffix("._target_")


def value_text(config: Config, key: str) -> str:
    """Return a value as text, a dash for none; of a `_target_`, the class without its module."""
    value = str(config.get(key, "–"))
    return value.rpartition(".")[2] if key.endswith("_target_") else value


@functools.lru_cache(maxsize=4096)
def _counts(key: str) -> bool:
    """Return whether models that differ in a key are of several groups."""
    return key not in SEEDS and not _is_free(key)


def _is_free(key: str) -> bool:
    """Return whether a key, also of an assay, does not say what is computed, or on which of the models."""
    return is_free(key.removeprefix("assay.")) or key in INPUTS


def _value(value: object) -> str:
    """Return a value for comparison; empty for one that is off, as a key that is missing."""
    text = repr(value)
    return "" if (value if isinstance(value, str) else text) in OFF else text

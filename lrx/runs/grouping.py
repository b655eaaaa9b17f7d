"""Groups of runs: the settings in which configs differ, and runs that differ in their seeds alone."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from lrx.runs.run_folder import is_free

SEEDS = ("seed", "assay.seed")

Config = Mapping[str, object]  # dotted keys and values


def differing_keys(configs: Sequence[Config]) -> set[str]:
    """Return the keys whose values differ between configs, or that some of them lack."""
    keys, missing = {key for config in configs for key in config}, object()
    return {key for key in keys if len({repr(config.get(key, missing)) for config in configs}) > 1}


def varying_keys(configs: Sequence[Config]) -> list[str]:
    """Return the keys with several values among the configs that have them; free keys (run_folder.FREE) left out."""
    values: dict[str, set[str]] = {}
    for config in configs:
        for key, value in config.items():
            values.setdefault(key, set()).add(repr(value))
    return [key for key, several in values.items() if len(several) > 1 and not is_free(key)]


def without_seed(config: Config) -> Hashable:
    """Return what runs that differ in their seed alone have in common."""
    return tuple(sorted((key, repr(value)) for key, value in config.items() if key not in SEEDS and not is_free(key)))


def distinguishing_keys(configs: Sequence[Config], keys: Sequence[str]) -> list[str]:
    """Return the keys, models first, that each split groups which those before it leave together."""
    chosen: list[str] = []
    for key in sorted(keys, key=lambda key: not key.endswith("_target_")):
        groups, finer = ({tuple(repr(c.get(k)) for k in some) for c in configs} for some in (chosen, [*chosen, key]))
        if len(finer) > len(groups):
            chosen.append(key)
    return chosen


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

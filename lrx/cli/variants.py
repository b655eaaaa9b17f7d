"""Variants of a sweep: named overrides in a yaml file, for keys that only some of the jobs have.

variants:
  vae: [model=vae]
  beta: [model=betavae, 'model.beta=1,4']   # beta-1 and beta-4
  factor: {model: factorvae, model.gamma: 10}

`lrx train -m variants=FILE seed=0,1` is a sweep over `variant=vae,beta-1,...`: the words of a job say its variant, and
have the overrides of the variant in them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lrx.core.paths import expand_user
from lrx.core.text import join_names

Variants = Mapping[str, Sequence[str]]  # overrides by the name of the variant
FILE, VARIANT = "variants", "variant"  # keys of the command line
NAME = re.compile(r"[A-Za-z][\w.-]*")
OF_THE_SWEEP = {FILE, VARIANT, "name", "shard"}  # keys that a variant cannot have
FORM = "a file of variants has, below `variants:`, names with overrides, as in `beta: [model=betavae, model.beta=4]`"


def expand_variants(words: Sequence[str]) -> tuple[list[str], Variants]:
    """Return the words with `variants=FILE` as a sweep over `variant`, and the variants; none without that word.

    ValueError for a file of another form, and for keys that the command line repeats.
    """
    files = [word.partition("=")[2].strip("'\"") for word in words if word.startswith(f"{FILE}=")]
    if not files:
        return list(words), {}
    path, rest = expand_user(files[-1]), [word for word in words if not word.startswith(f"{FILE}=")]
    variants = read_variants(path)
    given = {_key(word) for word in rest}
    for name, overrides in variants.items():
        both = [key for key in map(_key, overrides) if key in given]
        if both:
            raise ValueError(f"{path}: the variant {name} sets {both[0]}, and so does the command; leave one out")
    multirun = [] if {"-m", "--multirun"} & set(words) else ["-m"]
    return [*rest, *multirun, f"{VARIANT}={','.join(variants)}"], variants


def read_variants(path: Path) -> dict[str, list[str]]:
    """Return the variants of a file. One with several values of a key is one variant for each, named after them."""
    try:
        content = OmegaConf.to_container(OmegaConf.create(path.read_text(encoding="utf-8")), resolve=False)
    except (yaml.YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no yaml: {error}") from error
    named = content.get(FILE) if isinstance(content, dict) and content.keys() == {FILE} else None
    if not isinstance(named, dict) or not named:
        keys = sorted(map(str, content)) if isinstance(content, dict) else []
        raise ValueError(f"{path} has {join_names(keys) or 'no keys'}; {FORM}")
    variants: dict[str, list[str]] = {}
    for name, given in named.items():
        for full_name, overrides in _each(path, str(name), list(_words(path, str(name), given))):
            if full_name in variants:
                raise ValueError(f"{path}: two variants are called {full_name}; rename one")
            variants[full_name] = overrides
    return variants


def job_words(words: Sequence[str], variants: Variants) -> list[str]:
    """Return the words of a job with the overrides of its variant."""
    name = next((word.partition("=")[2] for word in words if word.startswith(f"{VARIANT}=")), "")
    return [*words, *variants.get(name, ())]


def _words(path: Path, name: str, given: object) -> Iterator[str]:
    """Yield the overrides of a variant as on the command line."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{path}: the name {name!r} of a variant must begin with a letter and have no spaces")
    entries = [f"{key}={_text(value)}" for key, value in given.items()] if isinstance(given, dict) else given
    if not isinstance(entries, list) or not entries or not all("=" in str(word) for word in entries):
        raise ValueError(f"{path}: the variant {name} has no overrides; {FORM}")
    for word in map(str, entries):
        if _key(word) in OF_THE_SWEEP or _key(word).startswith("hydra"):
            raise ValueError(f"{path}: the variant {name} cannot set {_key(word)}, which is of the whole sweep")
        yield word


def _each(path: Path, name: str, overrides: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the variants that one with several values of some keys stands for."""
    choices = []
    for word in OverridesParser.create().parse_overrides(list(overrides)):
        swept = word.is_sweep_override()
        values = cast(list[str], list(word.sweep_string_iterator())) if swept else [""]
        choices.append(
            [(f"{word.get_key_element()}={value}" if swept else str(word.input_line), value) for value in values]
        )
    for chosen in itertools.product(*choices):
        values = [re.sub(r"[^\w.]+", "_", value).strip("_") for _, value in chosen if value]
        yield "-".join([name, *values]), [word for word, _ in chosen]


def _text(value: object) -> str:
    """Write a value of yaml as on the command line."""
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{_text(entry)}' for key, entry in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")

"""Run folders: one config.yaml each, so that the same command resumes and another config is refused."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path

from lrx.core.checksum import sha256
from lrx.core.config_text import flatten
from lrx.core.text import join_names
from lrx.runs import former_names, status
from lrx.storage.atomic import atomic_path

FILENAME = "config.yaml"

# Keys that may differ between the starts of one run: where and how often, not what is computed.
FREE = {"name", "dataset.root", "device", "trainer.device", "trainer.checkpoint_every", "trainer.log_every"}
FREE |= {"then", "track", "trust", "dataset.workers", "variant"}


SOURCES = {"ckpt": "checkpoint", "codes": "codes"}  # keys of files, and the inputs of status.json with their SHA-256
OFF, AUTO = ("None", "False"), "auto"
STEPS = "trainer.steps"


def read_flat(folder: Path) -> dict[str, str]:
    """Return every dotted key of the folder's config and its value as text; lists have a key for each place.

    ValueError when the file is damaged or empty.
    """
    path = folder / FILENAME
    try:
        flat = _flat(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is damaged ({error})") from error
    except ValueError as error:
        raise ValueError(f"{path} {error}") from error
    if not flat:
        raise ValueError(f"{path} is empty")
    return dict(flat)


@functools.lru_cache(maxsize=2)  # a config is read for several questions, one after the other
def _flat(text: str) -> Mapping[str, str]:
    return {key: str(value) for key, value in flatten(text, split_lists=True).items()}


def identity(flat: Mapping[str, str]) -> dict[str, str]:
    """Return the keys of a config that say what is computed: all but those in FREE."""
    return {key: value for key, value in flat.items() if not is_free(key)}


def stored_identity(folder: Path, flat: Mapping[str, str]) -> dict[str, str]:
    """Return the identity of the folder's own config, or of this one where it has none.

    They may differ in keys that came later, though `check_same` takes them for the same.
    """
    return identity(read_flat(folder) if (folder / FILENAME).exists() else flat)


def fingerprint(identity: Mapping[str, str], inputs: Mapping[str, str] | None = None) -> str:
    """Return the SHA-256 of what is computed, and of what from: the SHA-256 of inputs by name."""
    lines = [f"{key}={value}" for key, value in sorted(identity.items())]
    return sha256("\n".join([*lines, str(sorted(inputs.items()))] if inputs else lines))


def check_same(
    folder: Path,
    flat: Mapping[str, str],
    auto: Mapping[str, Callable[[], str]] | None = None,
    inputs: Mapping[str, str] | None = None,
) -> None:
    """Raise ValueError that lists the keys in which a config differs from the folder's own, if there is one.

    A key that only one of them has is no difference while it is off (null or false): lrx gained or lost it in between.
    auto: by key, a function that returns what its value `auto` stands for, called where only one of them says `auto`.
    inputs: SHA-256 of input files by name; one that the folder's status.json has may lie elsewhere by now.
    """
    if not (folder / FILENAME).exists():
        return
    try:
        before = former_names.current_flat(read_flat(folder))
    except ValueError as error:
        raise ValueError(f"{error}; restore it, or give another name=") from error
    different = [
        f"{key} (was {before.get(key, 'not there')}, now {flat.get(key, 'not there')})"
        for key in sorted({key for key, _ in before.items() ^ flat.items()})
        if not is_free(key)
        and not (key in SOURCES and _is_input(folder, SOURCES[key], inputs or {}))
        and not _is_same(*_resolve_auto(before.get(key), flat.get(key), (auto or {}).get(key, _auto_base(key))))
        and not (key == STEPS and _trains_on(before, flat))
    ]
    if different:
        raise ValueError(
            f"{folder} was made by another config: {join_names(different)}; give these values, or another name="
        )


def _is_input(folder: Path, name: str, inputs: Mapping[str, str]) -> bool:
    """Return whether what the folder holds was made from an input file of this SHA-256."""
    state = status.read(folder)
    return state is not None and name in inputs and (state.inputs or {}).get(name) == inputs[name]


def _trains_on(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Return whether a config only asks for more steps, and the schedule does not depend on their number."""
    counts = [str(flat.get(STEPS, "")) for flat in (before, now)]
    schedules = {flat.get("trainer.schedule") for flat in (before, now)}
    return all(count.isdigit() for count in counts) and int(counts[0]) < int(counts[1]) and schedules == {"constant"}


def write_config(folder: Path, text: str) -> None:
    """Write the config of a run, as yaml, into its folder."""
    with atomic_path(folder / FILENAME) as beside:
        beside.write_text(text, encoding="utf-8")


def _is_same(one: str | None, other: str | None) -> bool:
    """Return whether two values of a key are the same; None: the key is missing."""
    return one == other or (None in (one, other) and {one, other} <= {None, *OFF})


def _resolve_auto(
    one: str | None, other: str | None, meaning: Callable[[], str] | None
) -> tuple[str | None, str | None]:
    """Return two values of a key, `auto` replaced by what it stands for where only one of them says `auto`."""
    if meaning is None or one == other or AUTO not in (one, other) or None in (one, other):
        return one, other
    return (meaning(), other) if one == AUTO else (one, meaning())


def _auto_base(key: str) -> Callable[[], str] | None:
    """Return a function that gives what `auto` stands for as the base of an assay of vectors; None for other keys."""
    return (lambda: "prior") if key.startswith("assay.") and key.endswith(".base") else None


@functools.lru_cache(maxsize=4096)
def is_free(key: str) -> bool:
    """Return whether a key may differ between the starts of one run."""
    if key.startswith("assay.") and key.endswith(".max_seconds"):  # of an assay, or of one of a paper run
        return True
    return key in FREE or key.split(".")[0] in FREE  # a list, such as trust, has a key for each place

"""Files of weights: the state dict that is in them, at the top or under a key, read without running their code."""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from lrx.core.paths import why_no_file
from lrx.core.text import join_names
from lrx.storage.placeholders import Placeholder, read_with_placeholders
from lrx.storage.tensors import UNREADABLE, read_tensors

# Keys under which training scripts of this field keep the state dict in a larger file.
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "module")


@dataclass(frozen=True)
class StateDict:
    """Tensors of a file by name.

    entry: the key under which the file has them; empty at its top. left_out: other keys of the file.
    """

    tensors: dict[str, Tensor]
    entry: str
    left_out: tuple[str, ...]


def read_state_dict(path: Path, key: str | None = None) -> StateDict:
    """Read the tensors of a .safetensors, .pt or .ckpt file with a state dict at its top or in an entry.

    key: the entry, dotted where it is nested, or a prefix of the tensors' names, which is removed; None takes the top,
    or the entries of WRAPPERS.
    FileNotFoundError if there is no such file; ValueError if it has no such key, or anything but tensors under names.
    """
    if not path.is_file():
        raise FileNotFoundError(f"weights={path}: {why_no_file(path)}")
    content = _read(path)
    if isinstance(content, Placeholder) and isinstance(content.state, dict) and "_modules" in content.state:
        raise ValueError(
            f"weights={path} holds a whole pickled {content.name}, and code of a file is not run; where its class is, "
            "write torch.save(model.state_dict(), 'weights.pt'), then lrx import weights=weights.pt "
            f"autoencoder._target_={content.name} trust=[{content.name.partition('.')[0]}]"
        )
    if not isinstance(content, dict) or not content:
        raise ValueError(f"weights={path} holds {_kind(content)}, not a state dict")
    whole = StateDict(content, "", ())
    found = _unwrapped(whole)
    if key is not None:
        chosen = select(whole, key.strip(".")) or select(found, key.strip("."))
        if chosen is None:
            there = join_names(list(dict.fromkeys([*roots(found), *roots(whole)])), most=12)
            raise ValueError(f"weights={path} has no entry or prefix {key!r}; it has {there}")
        found = _unwrapped(chosen)
    foreign = [str(name) for name, value in found.tensors.items() if not _is_named_tensor(name, value)]
    if foreign:
        inner = [str(name) for name, value in found.tensors.items() if isinstance(value, dict) and value]
        remedy = f"; weights_key={inner[0]} reads {inner[0]}" if inner else ""
        raise ValueError(
            f"weights={path} is no state dict: no names, or no tensors under {join_names(foreign)}{remedy}"
        )
    return found


def _read(path: Path) -> object:
    """Return the content of a file; objects that are neither tensors nor plain containers are placeholders."""
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        with path.open("rb") as file:
            try:
                return read_tensors(file)
            except pickle.UnpicklingError:  # it names other classes
                if not zipfile.is_zipfile(file):
                    raise
                return read_with_placeholders(file)
    except (*UNREADABLE, RecursionError, safetensors.SafetensorError) as error:
        raise ValueError(
            f"weights={path} is no state dict that loads safely (it is cut, damaged, or of another kind)"
        ) from error


def _unwrapped(content: StateDict) -> StateDict:
    """Return what the entries of WRAPPERS hold, one in another."""
    for wrapper in WRAPPERS:
        if isinstance(content.tensors.get(wrapper), dict):
            content = select(content, wrapper) or content
    return content


def select(content: StateDict, name: str) -> StateDict | None:
    """Return the entry of this name, or else the tensors whose names begin with it; None where there are none."""
    entries: dict[str, object] = dict(content.tensors)
    first, _, rest = name.partition(".")
    first = name if isinstance(entries.get(name), dict) else first
    inner = entries.get(first)
    if isinstance(inner, dict):
        others = tuple(str(key) for key in entries if key != first)
        chosen = StateDict(inner, f"{content.entry}.{first}".strip("."), content.left_out + others)
        return chosen if first == name else select(chosen, rest)
    prefix = f"{name}."
    tensors = {key.removeprefix(prefix): value for key, value in content.tensors.items() if str(key).startswith(prefix)}
    others = tuple(root for root in roots(content) if root != first)
    return StateDict(tensors, f"{content.entry}.{name}".strip("."), content.left_out + others) if tensors else None


def roots(content: StateDict) -> list[str]:
    """Return the first parts of the dotted keys."""
    return list(dict.fromkeys(str(key).partition(".")[0] for key in content.tensors))


def _is_named_tensor(name: object, value: object) -> bool:
    return isinstance(name, str) and isinstance(value, Tensor)


def _kind(value: object) -> str:
    return value.name if isinstance(value, Placeholder) else type(value).__name__

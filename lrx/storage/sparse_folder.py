"""Folders of sparse autoencoders that other packages write: settings and weights in the form of lrx's own class.

Read without those packages, and without running code of the files. Anything in a config that is not understood is
refused by name: an ignored setting would give other codes. P numbers of a vector, D features.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lrx.core.text import join_names
from lrx.storage.state_dict import conversions
from lrx.storage.state_dict_file import read_state_dict


@dataclass(frozen=True)
class SparseFolder:
    """Sparse autoencoder of a folder.

    package: that wrote it. settings, tensors: of lrx.models.sparse_autoencoder.SparseAutoencoder. files: that were
    read. notes: on what was done to the weights, for a person.
    """

    package: str
    settings: dict[str, str | int | None]
    tensors: dict[str, Tensor]
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def read_config(path: Path) -> dict[str, object]:
    """Read a file of JSON with a mapping at its top. ValueError for another one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"weights={path} is no JSON (it is cut, damaged, or of another kind)") from error
    if not isinstance(content, dict):
        raise ValueError(f"weights={path} holds {type(content).__name__} where a config is a mapping")
    return content


def check_known(path: Path, config: Mapping[str, object], known: Set[str], remedy: str) -> None:
    """Check that all keys of a config are known. ValueError names the others."""
    unknown = [key for key in config if key not in known]
    if unknown:
        raise ValueError(f"weights={path} has settings that lrx does not know: {join_names(unknown)}; {remedy}")


def whole_number(path: Path, config: Mapping[str, object], key: str) -> int:
    """Return a whole number of at least 1 of a config. ValueError where it is none."""
    value = config.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"weights={path} has {key}={value!r}, which must be a whole number of at least 1")
    return value


def one_of(
    path: Path, config: Mapping[str, object], key: str, choices: Mapping[object, str], default: object
) -> object:
    """Return a value of a config; ValueError where it is none of the keys of `choices`, or one with a reason there."""
    value = config.get(key, default)
    if isinstance(value, list | dict) or value not in choices:
        can_be = ", ".join(str(name) for name, reason in choices.items() if not reason)
        raise ValueError(f"weights={path} has {key}={value!r}, which lrx does not know; it can read {can_be}")
    if choices[value]:
        raise ValueError(f"weights={path} has {key}={value}: {choices[value]}")
    return value


def read_tensors_of(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> tuple[dict[str, Tensor], list[str]]:
    """Read the tensors of a file, which have these names and shapes, and lines on conversions of their types.

    Floating-point ones come in float32, or in float64.

    ValueError for other names, shapes and kinds.
    """
    tensors = read_state_dict(path).tensors
    lacking, left = [name for name in shapes if name not in tensors], [name for name in tensors if name not in shapes]
    wrong = [
        f"{name} {str(value.dtype).removeprefix('torch.')} {tuple(value.shape)} (needed: {shapes[name]})"
        for name, value in tensors.items()
        if name in shapes and (value.shape != shapes[name] or value.is_complex() or value.layout != torch.strided)
    ]
    faults = {"it lacks": lacking, "unknown": left, "wrong": wrong}
    if any(faults.values()):
        text = "; ".join(f"{what} {join_names(names)}" for what, names in faults.items() if names)
        raise ValueError(f"weights={path} does not fit its config: {text}")
    kind = torch.float64 if any(value.dtype == torch.float64 for value in tensors.values()) else torch.float32
    own = {name: value.to(kind) if value.is_floating_point() else value for name, value in tensors.items()}
    return own, conversions(tensors, own)


def as_own_weights(
    *,
    encoder: Tensor,
    decoder: Tensor,
    input_bias: Tensor,
    decoder_bias: Tensor,
    bias: Tensor,
    scale: Tensor | None = None,
    gate: tuple[Tensor, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Return weights under the names of lrx's class.

    encoder (P, D), decoder (D, P), biases (P,), bias and scale (D,) of a magnitude; gate: bias and threshold (D,) of
    what opens a feature, None for those that are open where their magnitude is above 0.
    """
    gate_bias, threshold = gate or (bias, torch.zeros_like(bias))
    tensors = {
        "encoder_PD": encoder,
        "decoder_DP": decoder,
        "input_bias_P": input_bias,
        "decoder_bias_P": decoder_bias,
        "bias_D": bias,
        "scale_D": torch.ones_like(bias) if scale is None else scale,
        "gate_bias_D": gate_bias,
        "threshold_D": threshold,
    }
    return {name: value.contiguous() for name, value in tensors.items()}


def settings_of(
    tensors: Mapping[str, Tensor], *, k: int | None = None, normalisation: str = "none"
) -> dict[str, str | int | None]:
    """Return the settings of lrx's class for these weights."""
    encoder = tensors["encoder_PD"]
    dtype = str(encoder.dtype).removeprefix("torch.")
    return {"latent_dim": encoder.shape[1], "k": k, "normalisation": normalisation, "dtype": dtype}

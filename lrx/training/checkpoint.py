"""Checkpoints: everything a run needs to resume, saved atomically and loaded without running foreign code.

A file holds tensors, numbers and text only, so that it loads with torch's `weights_only=True`: the model's and the
optimiser's state, the step, every random state, and the config as text.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor, nn

from lrx.core.paths import CHECKPOINT, expand_user, named_errors, why_no_file
from lrx.storage.atomic import write
from lrx.storage.state_dict import load_weights
from lrx.storage.tensors import UNREADABLE, read_tensors

FORMAT = "lrx checkpoint 1"

# Entries of a file and their types.
PARTS = {"model": dict, "optimizer": dict, "step": int, "steps": int, "random": dict, "config": str, "data": dict}
PARTS |= {"origin": str}
DATA = ("name", "source", "fingerprint")  # entries of `data`, as text


@dataclass(frozen=True)
class Checkpoint:
    """Content of a checkpoint file: `model` is a state dict, `config` the yaml text that the run was composed from.

    step: finished steps of `steps`. data: name, source and fingerprint of the training data, and the precision of the
    steps on them, except in files of version 0.1.0. origin: source of imported weights; empty for trained ones.
    """

    model: dict[str, Tensor]
    step: int
    steps: int
    config: str
    data: dict[str, str]
    origin: str

    @property
    def finished(self) -> bool:
        """True once training has reached its last step."""
        return self.step >= self.steps


def save(
    path: Path,
    *,
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    step: int,
    steps: int,
    config: str,
    data: Mapping[str, str],
    origin: str = "",
) -> None:
    """Write a checkpoint beside `path`, flush it to disk and rename it: a reader sees the old file or the new one."""
    content = {
        "format": FORMAT,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict() if optimizer is not None else {},
        "step": step,
        "steps": steps,
        "random": random_states(),
        "config": config,
        "data": dict(data),
        "origin": origin,
    }
    buffer = io.BytesIO()  # in memory first: on a full disk torch's own writer says no more than "unexpected pos"
    torch.save(content, buffer)
    write(path, buffer.getbuffer())


def load(path: Path) -> Checkpoint:
    """Read a checkpoint on the CPU. FileNotFoundError if there is none, ValueError if the file is something else."""
    with path.open("rb") as file:
        return _loaded(path, file)


def load_with_sha256(path: Path) -> tuple[Checkpoint, str]:
    """Read a checkpoint as `load`, and return it with the SHA-256 of that file, which a training may replace since."""
    with path.open("rb") as file:
        with named_errors(path):
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        return _loaded(path, file), digest


def resume(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, data: Mapping[str, str], earlier: str = ""
) -> tuple[int, str]:
    """Restore model, optimiser and random states; return the number of finished steps, and the precision of these.

    earlier: fingerprint that an earlier version stored for the same data.
    ValueError if the run was trained on other data than `data` names, or the file is no training run, or damaged.
    """
    with path.open("rb") as file:  # a file that cannot be opened says so itself
        content = _read(path, file)
    check_data(path, content["data"], data, earlier)
    load_weights(model, content["model"], path)
    if not content["optimizer"]:
        raise ValueError(f"{path} holds imported weights, not a training run; it can be assayed, not resumed")
    try:
        optimizer.load_state_dict(content["optimizer"])
        restore_random_states(content["random"])
    except UNREADABLE as error:
        raise ValueError(f"{path} is damaged: its optimiser or its random states do not fit this run") from error
    return content["step"], content["data"].get("precision", "")  # 0.1.0 stored none


def check_data(path: Path, before: Mapping[str, str], data: Mapping[str, str], earlier: str = "") -> None:
    """Check that a checkpoint was `before` trained on this data, see `resume`; else ValueError."""
    if before["fingerprint"] not in (data["fingerprint"], earlier):
        raise ValueError(
            f"{path} was trained on {before['name']} ({before['source']}; fingerprint {before['fingerprint'][:8]}), "
            f"and this is {data['name']} ({data['source']}; {data['fingerprint'][:8]}); give the same data, or another "
            "name="
        )


def find(ckpt: str) -> Path:
    """Return the path of a checkpoint file, or of the one in a run folder.

    FileNotFoundError if there is none; ValueError for the home folder of an unknown user.
    """
    path = expand_user(ckpt)
    if path.is_dir():
        checkpoint = path / CHECKPOINT
        if not checkpoint.is_file():
            raise FileNotFoundError(
                f"ckpt={ckpt}: this folder has no {CHECKPOINT}; give a run folder or a checkpoint, or all runs of a "
                f"sweep by -m 'ckpt=glob({ckpt}/*)'"
            )
        return checkpoint
    if not path.is_file():
        raise FileNotFoundError(
            f"ckpt={ckpt}: {why_no_file(path, or_folder=True)}; give a run folder or a checkpoint file"
        )
    return path


def random_states() -> dict[str, object]:
    """Return the state of every global generator, as tensors and text."""
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)  # noqa: NPY002 - third parties use it
    numpy_state = [kind, np.asarray(keys).tolist(), int(position), int(has_gauss), float(cached)]
    is_started = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # a run on the CPU does not start it
    return {
        "python": json.dumps(random.getstate()),
        "numpy": json.dumps(numpy_state),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if is_started else [],
    }


def restore_random_states(states: Mapping[str, object]) -> None:
    """Set every global generator to the state that random_states() returned."""
    version, internal, gauss = json.loads(str(states["python"]))
    random.setstate((version, tuple(internal), gauss))
    kind, keys, *rest = json.loads(str(states["numpy"]))
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))  # noqa: NPY002
    assert isinstance(states["torch"], Tensor)
    torch.set_rng_state(states["torch"])
    cuda = states["cuda"]
    assert isinstance(cuda, list)
    if torch.cuda.is_available() and len(cuda) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(cuda)


def _loaded(path: Path, file: BinaryIO) -> Checkpoint:
    content = _read(path, file)
    return Checkpoint(**{field.name: content[field.name] for field in fields(Checkpoint)})


def _read(path: Path, file: BinaryIO) -> dict:  # type: ignore[type-arg]
    try:
        content = read_tensors(file)
    except UNREADABLE as error:
        raise ValueError(f"{path} is not an lrx checkpoint (it is cut, damaged, or of another kind)") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path} is not an lrx checkpoint; bring other weights in with lrx import weights={path}")
    missing = [key for key, kind in PARTS.items() if not isinstance(content.get(key), kind)]
    missing += [
        f"data.{key}" for key in DATA if "data" not in missing and not isinstance(content["data"].get(key), str)
    ]
    if missing or not all(isinstance(value, Tensor) for value in content["model"].values()):
        raise ValueError(f"{path} is not an lrx checkpoint: it lacks {', '.join(missing) or 'tensors'}")
    if not 0 <= content["step"] <= content["steps"]:
        raise ValueError(f"{path} is damaged: it gives {content['step']} of {content['steps']} steps")
    return content

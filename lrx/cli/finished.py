"""Finished trainings and assays: whether what a folder holds is of this config, checkpoint, code and data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from lrx.cli.config import Config
from lrx.cli.console import messages
from lrx.core.data_identity import observations_fingerprint
from lrx.core.paths import CHECKPOINT, PART
from lrx.core.source_code import code_sha256
from lrx.core.types import Dataset
from lrx.runs import run_folder, shards, status
from lrx.storage import results
from lrx.storage.array_attributes import plain
from lrx.training import checkpoint

About = Mapping[str, str | int | float]
CHECKPOINT_ENTRIES = {"checkpoint_sha256", "checkpoint_config", "checkpoint_origin", "trained_steps", "trained_on"}
# of a result's provenance; in version 0.1.0 there was no observations_fingerprint
ABOUT = {*CHECKPOINT_ENTRIES, "dataset_fingerprint", "observations_fingerprint"}


def finished_training(
    flat: Mapping[str, str], folder: Path, steps: int, load: Callable[[], checkpoint.Checkpoint] | None = None
) -> checkpoint.Checkpoint | None:
    """Return the checkpoint of a folder that holds the finished run of this config; None of another one.

    load: reads the checkpoint; None: all of it.
    """
    path = folder / CHECKPOINT
    if not status.finished(folder, run_folder.fingerprint(run_folder.stored_identity(folder, flat))):
        return None
    trained = (load() if load else checkpoint.load(path)) if path.is_file() else None
    return trained if trained is not None and trained.step == steps else None


def check_trained_on(path: Path, trained: checkpoint.Checkpoint, dataset: Dataset) -> None:
    """Check that a checkpoint was trained on this data set; else ValueError."""
    data = {"name": dataset.name, "source": dataset.source, "fingerprint": dataset.fingerprint}
    checkpoint.check_data(path, trained.data, data, observations_fingerprint(dataset))


def read_inputs(config: Config) -> tuple[checkpoint.Checkpoint, dict[str, str]]:
    """Return the checkpoint of an assay, and its inputs by name.

    These are the SHA-256 of the same checkpoint, and of the source of a class in `trust`.
    """
    trained, digest = checkpoint.load_with_sha256(checkpoint.find(str(config.value("ckpt"))))
    code = code_of(config.stored(trained.config, override="dataset"))
    return trained, {"checkpoint": digest, **({"code": code} if code else {})}


def code_of(config: Config) -> str:
    """Return the SHA-256 of the source of the class that a config has below `autoencoder`; empty for lrx's models."""
    target = config.value("autoencoder._target_")
    return code_sha256(str(target).rpartition(".")[0]) if target else ""


def shards_identity(config: Config, inputs: Mapping[str, str]) -> tuple[str, str]:
    """Return the SHA-256 of what the shards of an assay have in common, and the one that parts of version 0.1.0 have.

    The latter depends on where the checkpoint lies.
    """
    identity = run_folder.identity(config.flat())
    moved = {key: value for key, value in identity.items() if key != "ckpt"}
    return run_folder.fingerprint(moved, inputs), run_folder.fingerprint(identity, inputs)


def is_finished(config: Config, folder: Path, inputs: Mapping[str, str], dataset: Dataset) -> bool:
    """Return whether the folder holds the result of these inputs. ValueError when it is of other data.

    A result of version 0.1.0 is taken as finished though it says nothing of classes and code; a note says so.
    """
    if config.value("shard") is None:
        return has_result(config.flat(), folder, inputs, dataset)
    if not _is_done(config.flat(), folder, inputs)[0] or not (folder / PART).is_file():
        return False
    about = shards.read_about(folder / PART)
    if about.whole not in shards_identity(config.replaced("shard", None), inputs):
        return False
    check_data(folder, about.data, about.observations, dataset)
    return True


def has_result(
    flat: Mapping[str, str],
    folder: Path,
    inputs: Mapping[str, str],
    dataset: Dataset,
    read: Callable[[Path], About] | None = None,
) -> bool:
    """Return whether the folder holds the result of a whole assay, whose config is flat; see `is_finished`.

    read: in place of `read_provenance`, such as one that remembers.
    """
    is_done, is_unstated = _is_done(flat, folder, inputs)
    if not is_done:
        return False
    about = (read or read_provenance)(folder / results.FILENAME)
    if about.get("checkpoint_sha256") != inputs["checkpoint"]:
        return False
    data, observations = str(about["dataset_fingerprint"]), about.get("observations_fingerprint")
    check_data(folder, data, None if observations is None else str(observations), dataset)
    unstated = (["code of the class"] if is_unstated else []) + (["labels"] if data != dataset.fingerprint else [])
    if unstated:
        messages.note(
            f"{folder} is of an earlier version, whose results do not say of which {' and '.join(unstated)} they "
            "are; another name= measures again"
        )
    return True


def read_provenance(file: Path) -> About:
    """Return what a result says of its checkpoint and data, those of ABOUT that are there; nothing without both."""
    try:
        with results.open_file(file) as opened:
            known = {key: value for key in ABOUT if (value := plain(opened.attrs.get(key))) is not None}
    except OSError:
        return {}
    return known if known.keys() >= {"checkpoint_sha256", "dataset_fingerprint"} else {}


def _is_done(flat: Mapping[str, str], folder: Path, inputs: Mapping[str, str]) -> tuple[bool, bool]:
    """Return whether the run of this config and these inputs is done, and whether it does not say of which code."""
    stored = run_folder.fingerprint(run_folder.stored_identity(folder, flat))
    before = status.read(folder)
    is_unstated = before is not None and "code" in inputs and "code" not in (before.inputs or {})
    compared = {name: value for name, value in inputs.items() if name != "code"} if is_unstated else inputs
    return status.is_finished(before, stored, compared), is_unstated


def check_data(folder: Path, data: str, observations: str | None, dataset: Dataset) -> None:
    """Check that what a folder holds was measured on this data set; else ValueError.

    data, observations: its fingerprints, with classes and without; None: of version 0.1.0, whose only one had none.
    """
    here = observations_fingerprint(dataset)
    if data == dataset.fingerprint or (observations is None and data == here):
        return
    if observations == here:
        raise ValueError(
            f"{folder} was measured with other labels or factors of the same images (fingerprint {data[:12]}, and here "
            f"{dataset.fingerprint[:12]}); give another name= to measure with these, or the former ones"
        )
    raise ValueError(
        f"{folder} was measured on other data (fingerprint {data[:12]}, and here {dataset.fingerprint[:12]}); give the "
        "same data, or another name="
    )

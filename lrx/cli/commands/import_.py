"""`lrx import`: make a checkpoint of published weights, whose model is tried on a few observations."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import cast

from torch import nn

from lrx.cli import conventions
from lrx.cli.build import build_model, check_folder, open_dataset, run_session
from lrx.cli.config import Config
from lrx.cli.console import messages
from lrx.cli.finished import code_of
from lrx.cli.import_folder import build_folder, read_folder
from lrx.core.checksum import file_sha256
from lrx.core.data_identity import observations_fingerprint
from lrx.core.paths import CHECKPOINT, expand_user
from lrx.core.text import join_names
from lrx.core.types import Dataset
from lrx.responses.contract import check_contract
from lrx.runs import run_folder
from lrx.storage.state_dict import load_weights, match_names
from lrx.storage.state_dict_file import StateDict, read_state_dict, roots, select
from lrx.storage.state_dict_layouts import Layout
from lrx.training import checkpoint


def import_command(config: Config, folder: Path) -> None:
    """Make a checkpoint of a state dict that fits the model key by key."""
    config.check_targets()
    conventions.check_keys(config)
    source = expand_user(str(config.value("weights")))
    if source.is_dir():
        _import_folder(config, folder, source)
        return
    layout = cast(Layout, config.build("layout"))
    key, own_class = config.value("weights_key"), config.value("autoencoder._target_")
    found = read_state_dict(source, None if key is None else str(key))
    conventions.check_dataset(config)
    check_folder(folder, config)
    dataset = open_dataset(config)
    described, told = config, ""
    model = build_model(config, dataset)
    if own_class:
        conventions.as_autoencoder(config, model)  # refuses a class before its weights
    _load(model, found, layout, source, own_class=bool(own_class))
    if not own_class:
        described, told = conventions.with_conventions(config, layout, dataset)
    path = _save(config, folder, described, dataset, model, (source.name, file_sha256(source)))
    entry = f"{found.entry} of {source.name}" if found.entry else source.name
    beside = f"\nleft out: {join_names(found.left_out)}" if found.left_out else ""
    messages.note(f"read {len(found.tensors)} tensors from {entry}{beside}")
    for line in filter(None, [told, *conventions.constructor_keys(config)]):
        messages.note(line)
    messages.note(f"imported: {path}")


def _import_folder(config: Config, folder: Path, source: Path) -> None:
    """Make a checkpoint of a folder of another package."""
    found = read_folder(config, source)
    conventions.check_dataset(config)
    check_folder(folder, config)
    dataset = open_dataset(config)
    imported = build_folder(config, found, dataset)
    path = _save(config, folder, imported.config, dataset, imported.model, (source.name, imported.digest))
    for line in (*imported.lines, f"imported: {path}"):
        messages.note(line)


def _save(
    config: Config, folder: Path, described: Config, dataset: Dataset, model: nn.Module, source: tuple[str, str]
) -> Path:
    """Write the checkpoint of a model that `described` describes, after a trial of it; return its path.

    source: the name of what was imported, and its SHA-256.
    """
    autoencoder = conventions.as_autoencoder(described, model)
    for remark in check_contract(autoencoder, dataset):
        messages.warn(remark)
    path, (name, digest) = folder / CHECKPOINT, source
    code = code_of(config)
    with run_session(config, folder, "import", {"weights": digest, **({"code": code} if code else {})}):
        run_folder.write_config(folder, config.text)
        checkpoint.save(
            path,
            model=model,
            optimizer=None,
            step=0,
            steps=0,
            config=described.text,
            data={"name": dataset.name, "source": dataset.source, "fingerprint": observations_fingerprint(dataset)},
            origin=f"{name}, sha256 {digest}",
        )
    return path


def _load(model: nn.Module, found: StateDict, layout: Layout, source: Path, *, own_class: bool) -> None:
    """Load the tensors of a file under the model's own names. ValueError says what does not fit, and what might."""

    def load(content: StateDict) -> None:
        load_weights(model, match_names(layout(content.tensors), model.state_dict()), source)

    try:
        load(found)
    except ValueError as error:
        remedy = "" if own_class else "; weights of a class of your own need autoencoder._target_=package.Class"
        for root in roots(found):
            with suppress(ValueError):
                load(select(found, root) or found)
                remedy = f"; those under {root} fit: weights_key={'.'.join(filter(None, [found.entry, root]))}"
                break
        line = str(error) if str(source) in str(error) else f"{source}: {error}"
        raise ValueError(f"{line}{remedy}") from error

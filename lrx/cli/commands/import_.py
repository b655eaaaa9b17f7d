"""`lrx import`: make a checkpoint of published weights, whose model is tried on a few observations."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import cast

from torch import Tensor, nn

from lrx.cli import conventions
from lrx.cli.build import build_model, check_folder, open_dataset, run_session
from lrx.cli.config import Config
from lrx.cli.console import messages
from lrx.cli.finished import code_of
from lrx.cli.import_folder import build_folder, read_folder
from lrx.cli.weights import find_weights
from lrx.core.data_identity import observations_fingerprint
from lrx.core.paths import CHECKPOINT
from lrx.core.text import join_names
from lrx.core.types import Dataset
from lrx.responses.contract import check_contract
from lrx.runs import run_folder
from lrx.storage.state_dict import check_weights, conversions, match_names
from lrx.storage.state_dict_file import StateDict, read_state_dict, roots, select
from lrx.storage.state_dict_layouts import Layout
from lrx.training import checkpoint


def import_command(config: Config, folder: Path) -> None:
    """Make a checkpoint of weights that fit the model key by key."""
    config, weights = find_weights(config)
    config.check_targets()
    conventions.check_keys(config)
    if weights.folder is not None:
        _import_folder(config, folder, weights.folder)
        return
    layout = cast(Layout, config.build("layout"))
    key, own_class = config.value("weights_key"), config.value("autoencoder._target_")
    found = {part: read_state_dict(path, None if key is None else str(key)) for part, path in weights.files.items()}
    conventions.check_dataset(config)
    check_folder(folder, config)
    dataset = open_dataset(config)
    described, told = config, ""
    model = build_model(config, dataset)
    if own_class:
        conventions.as_autoencoder(config, model)  # refuses a class before its weights
    loaded: dict[str, Tensor] = {}
    for part, path in weights.files.items():
        loaded |= _fit(model, found[part], layout, (part, path), own_class=bool(own_class))
    rest = [name for name in model.state_dict() if name not in loaded]
    if rest:
        raise ValueError(f"weights={{{','.join(weights.files)}}} has no file for {join_names(rest)} of the model")
    converted = conversions(loaded, model.state_dict())
    model.load_state_dict(loaded)
    if not own_class:
        described, told = conventions.with_conventions(config, layout, dataset)
    path = _save(config, folder, described, dataset, model, (weights.origin(), weights.digests()))
    for part, content in found.items():
        name = weights.files[part].name
        entry = f"{content.entry} of {name}" if content.entry else name
        beside = f"\nleft out: {join_names(content.left_out)}" if content.left_out else ""
        messages.note(f"read {len(content.tensors)} tensors from {entry}{beside}")
    for line in filter(None, [*converted, *weights.remarks, told, *conventions.constructor_keys(config)]):
        messages.note(line)
    messages.note(f"imported: {path}")


def _import_folder(config: Config, folder: Path, source: Path) -> None:
    """Make a checkpoint of a folder of another package."""
    found = read_folder(config, source)
    conventions.check_dataset(config)
    check_folder(folder, config)
    dataset = open_dataset(config)
    imported = build_folder(config, found, dataset)
    origin = f"{source.name}, sha256 {imported.digest}"
    path = _save(config, folder, imported.config, dataset, imported.model, (origin, {"weights": imported.digest}))
    for line in (*imported.lines, f"imported: {path}"):
        messages.note(line)


def _save(
    config: Config,
    folder: Path,
    described: Config,
    dataset: Dataset,
    model: nn.Module,
    source: tuple[str, dict[str, str]],
) -> Path:
    """Write the checkpoint of a model that `described` describes, after a trial of it; return its path.

    source: what was imported, in a line, and the SHA-256 of each file.
    """
    autoencoder = conventions.as_autoencoder(described, model)
    for remark in check_contract(autoencoder, dataset):
        messages.warn(remark)
    path, (origin, digests) = folder / CHECKPOINT, source
    code = code_of(config)
    with run_session(config, folder, "import", {**digests, **({"code": code} if code else {})}):
        run_folder.write_config(folder, config.text)
        checkpoint.save(
            path,
            model=model,
            optimizer=None,
            step=0,
            steps=0,
            config=described.text,
            data={"name": dataset.name, "source": dataset.source, "fingerprint": observations_fingerprint(dataset)},
            origin=origin,
        )
    return path


def _fit(
    model: nn.Module, found: StateDict, layout: Layout, source: tuple[str, Path], *, own_class: bool
) -> dict[str, Tensor]:
    """Return the tensors of a file under the model's own names. ValueError says what does not fit, and what might.

    source: the part of the model that the file is of, `""` for all of it, and the file.
    """
    part, path = source
    above = f"{part}." if part else ""
    own = {name.removeprefix(above): value for name, value in model.state_dict().items() if name.startswith(above)}
    if not own:
        parts = join_names([name for name, _ in model.named_children()])
        raise ValueError(f"weights.{part}={path}: the model has no part {part} with weights; it has {parts or 'none'}")

    def matched(content: StateDict) -> dict[str, Tensor]:
        tensors = match_names(layout(content.tensors), own)
        check_weights(own, tensors, path)
        return {f"{above}{name}": value for name, value in tensors.items()}

    try:
        return matched(found)
    except ValueError as error:
        remedy = "" if own_class else "; weights of a class of your own need autoencoder._target_=package.Class"
        for root in roots(found):
            with suppress(ValueError):
                matched(select(found, root) or found)
                remedy = f"; those under {root} fit: weights_key={'.'.join(filter(None, [found.entry, root]))}"
                break
        line = str(error) if str(path) in str(error) else f"{path}: {error}"
        raise ValueError(f"{line}{remedy}") from error

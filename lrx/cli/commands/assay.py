"""`lrx assay`: one assay on a checkpoint, whole or in shards, into the HDF5 file and the pictures of a run folder.

A shard is a job in the folder `2of3` below that of the whole. Whoever leaves the last part there joins them all: the
assay runs once more in the folder above, with the values of the parts in place of the model's answers.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch

from lrx.assays import catalog
from lrx.assays.run import run_assay
from lrx.cli.assay_output import show_output, write_output
from lrx.cli.build import checked_seed, load_model, open_dataset, run_session
from lrx.cli.codes import measure_codes
from lrx.cli.config import Config
from lrx.cli.console import messages
from lrx.cli.console.progress import WorkProgress
from lrx.cli.finished import is_finished, read_inputs, shards_identity
from lrx.core.data_identity import about_data, observations_fingerprint
from lrx.core.devices import choose_device, configure_backends
from lrx.core.foreign_code import foreign_errors, is_foreign, packages_of
from lrx.core.malloc import keep_freed_memory
from lrx.core.paths import PART
from lrx.core.settings import Checked
from lrx.core.threads import set_threads
from lrx.core.types import AssayResult
from lrx.core.validation import SettingError, check_choice
from lrx.data import splits
from lrx.models.autoencoder import NetworkAutoencoder
from lrx.responses.contract import check_contract
from lrx.responses.encoding import about_codes
from lrx.responses.work_units import ALL_UNITS, Shard, ShardDone, Share
from lrx.runs import run_folder, shards, status
from lrx.storage import results
from lrx.storage.partial import PartialResults
from lrx.training import checkpoint


def assay_command(config: Config, folder: Path) -> None:
    """Run one assay on a checkpoint, or the shard of it that the key `shard` names."""
    keep_freed_memory()
    set_threads(os.environ)
    if config.value("codes") is not None:
        measure_codes(config, folder, _settings(config))
        return
    if config.value("ckpt") is None:
        raise ValueError("lrx assay needs ckpt=..., or codes=... with assay=metrics")
    shard = shards.parse(config.value("shard"))
    if shard is None:
        measure(config, folder, ALL_UNITS)
        return
    name = str(config.value("shard"))
    if folder.name != name:
        raise ValueError(
            f"shard={name} works in a folder of that name, not in {folder}; give assay.shards={shard.count}"
        )
    measure(config, folder, shard)
    try:
        _join(config.replaced("shard", None), folder.parent, shard.count)
    except shards.MixedPartsError as error:  # this shard is done, and the job of another may be at work
        messages.warn(str(error))


def check(config: Config) -> None:
    """Check what can be checked before there is a checkpoint. ValueError as of `assay_command`."""
    checked_seed(config)
    _settings(config)
    _device(config, warns=False)
    if config.value("split") is not None:
        check_choice("split", config.value("split"), (splits.ALL, *splits.PARTS))


def join(folder: Path) -> bool:
    """Join the shards whose folders lie in this one into its result.h5; False while there are none, or some lack.

    ValueError when they do not belong together, or the checkpoint that they measured is not there any more.
    """
    joined = False
    for count in shards.complete(folder):
        part = folder / f"1of{count}"
        about, before = shards.read_about(part / PART), status.read(part)
        text = (part / run_folder.FILENAME).read_text(encoding="utf-8")
        config = Config.from_text(text, {"assay": about.assay}, before.overrides if before else ())
        joined |= _join(config.replaced("shard", None), folder, count)
    return joined


def _join(config: Config, folder: Path, count: int) -> bool:
    """Join `count` shards of the assay that `config` describes without a shard; False while some lack."""
    _, inputs = read_inputs(config)
    stored = run_folder.fingerprint(run_folder.stored_identity(folder, config.flat()))
    if status.finished(folder, stored, inputs) and (folder / results.FILENAME).is_file():
        return True
    with shards.opened(folder, count, whole=shards_identity(config, inputs)) as parts:
        if parts is None:
            return False
        try:
            measure(config, folder, parts)
        except status.BusyError:
            messages.note(f"another job is joining the parts in {folder}")
    return True


def measure(config: Config, folder: Path, share: Share) -> None:
    """Run an assay, and write what the share of it gives: result.h5 and its pictures, or the part of a shard."""
    began = time.monotonic()
    name, seed, settings = config.choices["assay"], checked_seed(config), _settings(config)
    description = catalog.describe(name)
    if share is not ALL_UNITS and (description is None or not description.shards):
        raise ValueError(f"assay={name} is one piece of work, which no shards can share; leave out assay.shards")
    device = _device(config)
    configure_backends(device, tf32=bool(config.value("tf32")), repeatable=False)
    path = checkpoint.find(str(config.value("ckpt")))
    trained, inputs = read_inputs(config)
    run_folder.check_same(folder, config.flat(), inputs=inputs)
    stored = config.stored(trained.config, override="dataset")
    dataset = splits.part(open_dataset(stored), measured_part(config, stored))
    if is_finished(config, folder, inputs, dataset):
        messages.note(f"{folder} is finished; nothing to do")
        return
    if not trained.finished:
        messages.warn(f"{path} is of step {trained.step:,} of {trained.steps:,}: its training has not ended")

    model = load_model(stored, dataset, trained, path, device, channels_last=config.value("channels_last"))
    remarks = check_contract(model, dataset) if is_foreign(model) or trained.origin else []
    for remark in remarks:
        messages.warn(remark)
    with run_session(config, folder, "assay", inputs) as session:
        target = folder / results.FILENAME
        seconds, count = (share.seconds, share.count) if isinstance(share, shards.Parts) else (0.0, 1)
        about: dict[str, str | int | float] = {
            **results.environment(),
            "config": config.text,
            **about_checkpoint(trained, path, inputs["checkpoint"]),
            "model": stored.target("autoencoder" if stored.value("autoencoder._target_") else "model"),
            **({"reconstruction": model.reconstruction} if isinstance(model, NetworkAutoencoder) else {}),
            **about_data(dataset),
            **({"code_sha256": inputs["code"]} if "code" in inputs else {}),
            **about_codes(model, dataset),
            "seed": seed,
            "device": str(device),
            "shards": count,
        }

        def provenance() -> results.Provenance:
            return {**about, "wall_time_s": time.monotonic() - began + seconds}

        store = PartialResults(target, provenance)  # refuses now, not after hours, a file that cannot be added to
        if isinstance(share, shards.Parts):
            share.check(dataset.fingerprint, observations_fingerprint(dataset))
        try:
            with WorkProgress(name.replace("_", " "), session.update) as progress, foreign_errors(packages_of(model)):
                generator = torch.Generator().manual_seed(seed)
                measured = run_assay(
                    settings, model, dataset, generator, progress=progress, share=share, store=store, remarks=remarks
                )
        except SettingError as error:
            raise ValueError(f"assay.{error}") from error
        except ShardDone:
            assert isinstance(share, Shard)
            whole = shards_identity(config.replaced("shard", None), inputs)[0]
            run_folder.write_config(folder, config.text)
            about_part = shards.About(
                whole=whole,
                data=dataset.fingerprint,
                assay=name,
                seconds=time.monotonic() - began,
                checkpoint=inputs["checkpoint"],
                observations=observations_fingerprint(dataset),
            )
            shards.write(folder, share, about_part)
            count = len(share.values_by_key)
            messages.note(f"{folder / PART}: {f'{count} pieces' if count else 'no piece'} of {name.replace('_', ' ')}")
            return
        by_name = {name: measured} if isinstance(measured, AssayResult) else measured
        written = write_output(config, folder, by_name, provenance())
    show_output(by_name, dataset, written, told=remarks)


def _settings(config: Config) -> Checked:
    """Build the settings of the assay that the config describes."""
    settings = config.build("assay")
    if not isinstance(settings, Checked):
        raise ValueError(
            f"assay={config.choices['assay']}: its _target_ makes {type(settings).__name__}, not settings; it must "
            "name the class Settings of an assay, as in lrx.assays.response_matrix.assay.Settings"
        )
    return settings


def _device(config: Config, *, warns: bool = True) -> torch.device:
    """Choose the device of a config, and check its TF32."""
    device, tf32 = choose_device(str(config.value("device")), "device"), config.value("tf32")
    if not isinstance(tf32, bool):
        raise ValueError(f"tf32 must be true or false, not {tf32!r}")
    if tf32 and device.type != "cuda" and warns:
        messages.warn("tf32=true has no effect on the CPU")
    return device


def about_checkpoint(trained: checkpoint.Checkpoint, path: Path, digest: str) -> dict[str, str | int]:
    """Return what a result says of the checkpoint that it was measured on; digest: its SHA-256 when it was read."""
    return {
        "checkpoint": str(path),
        "checkpoint_sha256": digest,
        "checkpoint_config": trained.config,
        "checkpoint_origin": trained.origin,
        "trained_steps": trained.step,
        "trained_on": f"{trained.data['name']} ({trained.data['source']}, {trained.data['fingerprint']})",
    }


def measured_part(config: Config, stored: Config) -> str:
    """Return the part of the data to measure on: `split`, else the test part where training drew from a part."""
    asked, trained = config.value("split"), stored.value("split")
    return str(asked) if asked is not None else splits.ALL if trained in (None, splits.ALL) else "test"

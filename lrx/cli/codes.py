"""`lrx assay codes=codes.npz assay=metrics`: codes and factors from a file, measured without a model."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from lrx.assays.run import run_assay
from lrx.cli.assay_output import show_output, write_output
from lrx.cli.build import checked_seed, run_session
from lrx.cli.config import Config, setting_group
from lrx.cli.console import messages
from lrx.cli.console.progress import WorkProgress
from lrx.core.checksum import file_sha256
from lrx.core.paths import expand_user
from lrx.core.settings import Checked
from lrx.core.text import join_names
from lrx.core.types import AssayResult
from lrx.data.code_file import read_codes
from lrx.runs import run_folder, status
from lrx.storage import results

UNUSED = ("ckpt", "split", "shard", "dataset.root", "dataset.source", "dataset.correlation", "channels_last")
FIXED: dict[str, tuple[object, ...]] = {"device": ("auto", "cpu"), "tf32": (False,), "trust": ([],)}  # what is done


def measure_codes(config: Config, folder: Path, settings: Checked) -> None:
    """Measure the metrics of the codes in a file into a run folder, unless it holds them already.

    ValueError for another assay, for keys that need a model, and for files that `read_codes` refuses.
    """
    began = time.monotonic()
    name, given = config.choices["assay"], [key for key in UNUSED if config.value(key) is not None]
    given += [key for key, values in FIXED.items() if config.plain(key) not in values]
    if name != "metrics":
        raise ValueError(f"codes= goes with assay=metrics, not {name}, which takes a model: give ckpt= instead")
    if given:
        raise ValueError(f"codes= has no model and no images, so {join_names(given)} has no effect; leave it out")
    path, seed = expand_user(str(config.value("codes"))), checked_seed(config)
    dataset, inputs = read_codes(path), {"codes": file_sha256(path)}
    run_folder.check_same(folder, config.flat(), inputs=inputs)
    stored = run_folder.fingerprint(run_folder.stored_identity(folder, config.flat()))
    if status.finished(folder, stored, inputs) and (folder / results.FILENAME).is_file():
        messages.note(f"{folder} is finished; nothing to do")
        return
    with run_session(config, folder, "assay", inputs) as session:
        with WorkProgress(name, session.update) as progress, setting_group("assay"):
            generator = torch.Generator().manual_seed(seed)
            measured = run_assay(settings, dataset.model(), dataset, generator, progress=progress)
        assert isinstance(measured, AssayResult)
        provenance: dict[str, str | int | float] = {
            **results.environment(),
            "config": config.text,
            "model": "codes",
            "codes": str(path),
            "codes_sha256": inputs["codes"],
            "dataset": dataset.name,
            "dataset_source": dataset.source,
            "dataset_fingerprint": dataset.fingerprint,
            "seed": seed,
            "device": "cpu",
            "wall_time_s": time.monotonic() - began,
        }
        written = write_output(config, folder, {name: measured}, provenance)
    show_output({name: measured}, dataset, written)

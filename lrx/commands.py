"""The commands by name, and what train and import do with a composed config."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import numpy as np
import torch

from lrx import checkpoint, console, distributed, runs, status
from lrx.allocator import keep_freed_memory
from lrx.assaying import assay_command
from lrx.atomic import replacing
from lrx.building import Config, build_model, open_dataset, whole_seed, working
from lrx.curves import Curves, last_loss
from lrx.data import splits
from lrx.devices import choose_device
from lrx.layouts import Layout
from lrx.prepare import prepare_command
from lrx.trackers import Trackers
from lrx.training import TrainSettings, train
from lrx.types import Trainable
from lrx.weights import read_state_dict, without_prefix

SPLIT = "split.npz"  # the part of each image, where training draws from one part


def train_command(config: Config, folder: Path) -> float | None:
    """Train in the run folder, or go on there; nothing to do if the run is finished. Returns the last logged loss.

    Of several processes (lrx.distributed), the first one has the folder, and the others only work for it.
    """
    keep_freed_memory()
    settings = cast(TrainSettings, config.build("trainer"))
    with distributed.joined(choose_device(settings.device, "trainer.device")) as (ranks, device):
        return _train(config, Path(ranks.of_first(str(folder))), settings, ranks, device)


def _train(
    config: Config, folder: Path, settings: TrainSettings, ranks: distributed.Ranks, device: torch.device
) -> float | None:
    runs.check_same(folder, config)
    if status.finished(folder, runs.identity(config)):
        if ranks.leads:
            console.note(f"{folder} is finished ({settings.steps} steps); nothing to do")
        return last_loss(folder)
    whole = open_dataset(config)
    dataset = splits.part(whole, str(config.value("split")))
    model = build_model(config, dataset)
    assert isinstance(model, Trainable)
    path = folder / checkpoint.FILENAME
    fit = functools.partial(
        train,
        model,
        dataset,
        settings,
        seed=whole_seed(config),
        device=device,
        path=path,
        config=config.text,
        ranks=ranks,
    )
    if not ranks.leads:
        fit()
        return last_loss(folder)
    curves = Curves(folder)
    trackers = Trackers(config.plain("track"), folder, config.text)
    with (
        working(config, folder, "train") as work,
        trackers,
        console.TrainProgress(settings.steps, settings.batch_size) as progress,
    ):
        runs.write_config(folder, config)
        if dataset is not whole:
            with replacing(folder / SPLIT) as beside, beside.open("wb") as file:
                np.savez_compressed(file, part=splits.codes(whole).numpy())

        def on_start(start: int) -> None:
            curves.go_on_from(start)
            trackers.start(start)
            progress.start(start)
            work.tell(step=start, steps=settings.steps)

        def on_log(step: int, row: Mapping[str, float]) -> None:
            curves.append(step, row)
            trackers.log(step, row)
            progress.log(row)
            work.tell(step=step, rate=progress.rate, seconds_left=progress.seconds_left)

        fit(on_start=on_start, on_step=progress.step, on_log=on_log)
    console.note(f"trained {settings.steps} steps on {dataset.name} ({dataset.source}): {path}")
    return last_loss(folder)


def import_command(config: Config, folder: Path) -> None:
    """Make a checkpoint of a state dict that fits the model key by key."""
    config.check_targets()
    layout = cast(Layout, config.build("layout"))
    source = Path(str(config.value("weights"))).expanduser()
    weights = read_state_dict(source)
    runs.check_same(folder, config)
    dataset = open_dataset(config)
    model = build_model(config, dataset)
    try:
        weights = layout(weights)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    checkpoint.load_weights(model, without_prefix(weights, model.state_dict()), source)
    path = folder / checkpoint.FILENAME
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    with working(config, folder, "import", {"weights": digest}):
        runs.write_config(folder, config)
        checkpoint.save(
            path,
            model=model,
            optimizer=None,
            step=0,
            steps=0,
            config=config.text,
            data={"name": dataset.name, "source": dataset.source, "fingerprint": dataset.fingerprint},
            origin=f"{source.name}, sha256 {digest}",
        )
    console.note(f"imported {len(weights)} tensors: {path}")


def leads() -> bool:
    """Whether this process is alone, or the first of those that train together."""
    return distributed.ranks_of(os.environ).leads


COMMANDS: dict[str, Callable[[Config, Path], float | None]] = {
    "train": train_command,
    "assay": assay_command,
    "import": import_command,
    "prepare": prepare_command,
}

"""The commands by name, and what train and import do with a composed config."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from lrx.allocator import keep_freed_memory
from lrx.atomic import replacing
from lrx.commands.assaying import assay_command
from lrx.commands.building import Config, build_model, open_dataset, whole_seed, working
from lrx.commands.prepare import prepare_command
from lrx.data import splits
from lrx.devices import choose_device
from lrx.layouts import Layout
from lrx.paths import CHECKPOINT, expanded
from lrx.runs import run_folder, status
from lrx.terminal import console
from lrx.training import checkpoint, distributed, interrupts
from lrx.training.curves import Curves, last_loss
from lrx.training.loop import TrainSettings, compiles, train
from lrx.training.trackers import Trackers
from lrx.types import Autoencoder, Dataset, Trainable, as_float
from lrx.weights import read_state_dict, without_prefix

SPLIT = "split.npz"  # the part of each image, where training draws from one part


def train_command(config: Config, folder: Path) -> float | None:
    """Train in the run folder, or go on there; nothing to do if the run is finished. Returns the last logged loss.

    Of several processes (lrx.training.distributed), the first one has the folder, and the others only work for it.
    """
    keep_freed_memory()
    settings = cast(TrainSettings, config.build("trainer"))
    with distributed.joined(choose_device(settings.device, "trainer.device")) as (ranks, device):
        return _train(config, Path(ranks.of_first(str(folder))), settings, ranks, device)


def _train(
    config: Config, folder: Path, settings: TrainSettings, ranks: distributed.Ranks, device: torch.device
) -> float | None:
    keys = dict(line.partition("=")[::2] for line in run_folder.identity(config).splitlines())
    ranks.agree_on(keys, "start them all with the same command")
    run_folder.check_same(folder, config)
    path = folder / CHECKPOINT
    done = status.finished(folder, run_folder.kept_identity(folder, config))
    done = done and path.is_file() and checkpoint.load(path).step == settings.steps
    ranks.agree_on({"whether the run is finished": str(done)}, "they must see the same run folder")
    if done:
        if ranks.leads:
            more = (
                f"trainer.steps={2 * settings.steps} trains on" if settings.schedule == "constant" else "nothing to do"
            )
            console.note(f"{folder} is finished ({settings.steps} steps); {more}")
        return last_loss(folder)
    if settings.precision == "tf32" and device.type != "cuda" and ranks.leads:
        console.warn("trainer.precision=tf32 has no effect on the CPU")
    whole = open_dataset(config)
    dataset = splits.part(whole, str(config.value("split")))
    ranks.agree_on({"the fingerprint of the data": dataset.fingerprint}, "they must read the same data set")
    model = build_model(config, dataset)
    assert isinstance(model, Trainable)
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
        run_folder.write_config(folder, config)
        if dataset is not whole:
            with replacing(folder / SPLIT) as beside, beside.open("wb") as file:
                np.savez_compressed(file, part=splits.codes(whole).numpy())

        def on_start(start: int) -> None:
            curves.go_on_from(start)
            trackers.start(start)
            progress.start(start, compiles=compiles(settings, device))
            work.tell(step=start, steps=settings.steps)

        def on_log(step: int, row: Mapping[str, float]) -> None:
            curves.append(step, row)
            trackers.log(step, row)
            progress.log(row)
            work.tell(step=step, rate=progress.rate, seconds_left=progress.seconds_left)

        # several processes get the signal in different steps, and would wait for each other
        with interrupts.requested() if ranks.size == 1 else nullcontext() as stopping:
            fit(on_start=on_start, on_step=progress.step, on_log=on_log, stopping=stopping)
    console.note(f"trained {settings.steps} steps on {dataset.name} ({dataset.source}): {path}")
    return last_loss(folder)


def import_command(config: Config, folder: Path) -> None:
    """Make a checkpoint of a state dict that fits the model key by key."""
    config.check_targets()
    layout = cast(Layout, config.build("layout"))
    source = expanded(str(config.value("weights")))
    weights = read_state_dict(source)
    run_folder.check_same(folder, config)
    dataset = open_dataset(config)
    model = build_model(config, dataset)
    try:
        weights = layout(weights)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    checkpoint.load_weights(model, without_prefix(weights, model.state_dict()), source)
    if config.value("autoencoder._target_"):
        try_out(model, dataset, str(config.value("autoencoder._target_")))
    path = folder / CHECKPOINT
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    with working(config, folder, "import", {"weights": digest}):
        run_folder.write_config(folder, config)
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


def try_out(model: nn.Module, dataset: Dataset, name: str) -> None:
    """Encode and decode one observation, twice in a batch; ValueError that says what a foreign class does wrong."""
    assert isinstance(model, Autoencoder)
    x = as_float(dataset.raw(torch.tensor([0, 0])))
    model.eval()
    done = "encode"
    try:
        with torch.inference_mode():
            z = model.encode(x)
            fits = isinstance(z, Tensor) and z.ndim == 2 and len(z) == len(x) and z.is_floating_point()
            if not fits:
                raise ValueError(f"it gives {_shown(z)}, not codes (2, D)")
            done = "decode"
            again = model.decode(z)
            if not isinstance(again, Tensor) or again.shape != x.shape:
                raise ValueError(f"it gives {_shown(again)}, not observations {tuple(x.shape)}")
    except Exception as error:  # whatever foreign code does
        told = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        given = tuple(x.shape) if done == "encode" else tuple(z.shape)
        raise ValueError(f"{name}.{done} was tried on two of {dataset.name}, {given}: {told}") from error


def _shown(value: object) -> str:
    return f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"


def leads() -> bool:
    """Whether this process is alone, or the first of those that train together."""
    return distributed.ranks_of(os.environ).leads


COMMANDS: dict[str, Callable[[Config, Path], float | None]] = {
    "train": train_command,
    "assay": assay_command,
    "import": import_command,
    "prepare": prepare_command,
}

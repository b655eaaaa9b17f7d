"""`lrx train`: a model of a config is trained in its run folder, or trained on."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import cast

import numpy as np
import torch

from lrx.cli.build import Config, build_model, check_folder, open_dataset, whole_seed, working
from lrx.cli.console import messages
from lrx.cli.console.progress import TrainProgress
from lrx.core.devices import choose_device
from lrx.core.malloc import keep_freed_memory
from lrx.core.paths import CHECKPOINT
from lrx.core.types import Trainable
from lrx.data import splits
from lrx.models.autoencoder import NetworkAutoencoder
from lrx.runs import run_folder, status
from lrx.storage.atomic import atomic_path
from lrx.training import checkpoint, distributed, sigint
from lrx.training.loop import TrainSettings, compiles, train
from lrx.training.metrics_log import Curves, last_loss
from lrx.training.trackers import Trackers

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
    flat = config.flat()
    ranks.agree_on(run_folder.identity(flat), "start them all with the same command")
    check_folder(folder, config)
    path = folder / CHECKPOINT
    done = status.finished(folder, run_folder.fingerprint(run_folder.stored_identity(folder, flat)))
    done = done and path.is_file() and checkpoint.load(path).step == settings.steps
    ranks.agree_on({"whether the run is finished": str(done)}, "they must see the same run folder")
    if done:
        if ranks.leads:
            more = (
                f"trainer.steps={2 * settings.steps} trains on" if settings.schedule == "constant" else "nothing to do"
            )
            messages.note(f"{folder} is finished ({settings.steps} steps); {more}")
        return last_loss(folder)
    if settings.precision == "tf32" and device.type != "cuda" and ranks.leads:
        messages.warn("trainer.precision=tf32 has no effect on the CPU")
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
        TrainProgress(settings.steps, settings.batch_size) as progress,
    ):
        run_folder.write_config(folder, config.text)
        if dataset is not whole:
            with atomic_path(folder / SPLIT) as beside, beside.open("wb") as file:
                np.savez_compressed(file, part=splits.codes(whole).numpy())

        def on_start(start: int) -> None:
            curves.go_on_from(start)
            trackers.start(start)
            progress.start(start, compiles=compiles(settings, device))
            work.update(step=start, steps=settings.steps)

        def on_log(step: int, row: Mapping[str, float]) -> None:
            curves.append(step, row)
            trackers.log(step, row)
            progress.log(row)
            work.update(step=step, rate=progress.rate, seconds_left=progress.seconds_left)

        # several processes get the signal in different steps, and would wait for each other
        with sigint.requested() if ranks.size == 1 else nullcontext() as stopping:

            def on_step(step: int) -> None:
                progress.step(step)
                if stopping is not None and stopping():  # this step is saved, whether or not it is logged
                    work.update(step=step)

            fit(on_start=on_start, on_step=on_step, on_log=on_log, stopping=stopping)
    kind = f", reconstruction {model.reconstruction}" if isinstance(model, NetworkAutoencoder) else ""
    messages.note(f"trained {settings.steps} steps on {dataset.name} ({dataset.source}){kind}: {path}")
    return last_loss(folder)

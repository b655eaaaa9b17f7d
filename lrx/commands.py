"""What the commands do with a composed config: build its parts, train, assay or import, and say where it went."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import torch
from torch import nn

from lrx import checkpoint, console, results, runs, status
from lrx.allocator import keep_freed_memory
from lrx.atomic import replacing
from lrx.codes import num_drawn
from lrx.curves import Curves, last_loss
from lrx.data import splits
from lrx.devices import choose_device
from lrx.layouts import Layout
from lrx.prepare import prepare_command
from lrx.trackers import Trackers
from lrx.training import TrainSettings, train
from lrx.types import AssayResult, Autoencoder, Dataset, Trainable
from lrx.weights import read_state_dict, without_prefix

RESULT = "result.h5"
SPLIT = "split.npz"  # the part of each image, where training draws from one part


class Config(runs.RunConfig, Protocol):
    """The part of lrx.cli.Config that commands use; described there."""

    choices: dict[str, str]
    overrides: tuple[str, ...]

    def target(self, key: str) -> str:
        """The name of what a node describes."""
        ...

    def value(self, key: str) -> object:
        """A single value."""
        ...

    def plain(self, key: str) -> object:
        """A value of any kind, in python's own types."""
        ...

    def build(self, key: str, **given: object) -> object:
        """The object that a node describes."""
        ...

    def stored(self, text: str, *, override: str) -> Config:
        """The config that a checkpoint holds, with the overrides of a node of this one."""
        ...

    def check_targets(self) -> None:
        """ValueError for code that nobody vouched for."""
        ...


def train_command(config: Config, folder: Path) -> float | None:
    """Train in the run folder, or go on there; nothing to do if the run is finished. Returns the last logged loss."""
    keep_freed_memory()
    runs.check_same(folder, config)
    settings = cast(TrainSettings, config.build("trainer"))
    device = choose_device(settings.device, "trainer.device")
    path = folder / checkpoint.FILENAME
    if status.finished(folder, runs.identity(config)):
        console.note(f"{folder} is finished ({settings.steps} steps); nothing to do")
        return last_loss(folder)
    whole = open_dataset(config)
    dataset = splits.part(whole, str(config.value("split")))
    model = build_model(config, dataset)
    assert isinstance(model, Trainable)
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

        train(
            model,
            dataset,
            settings,
            seed=whole_seed(config),
            device=device,
            path=path,
            config=config.text,
            on_start=on_start,
            on_step=progress.step,
            on_log=on_log,
        )
    console.note(f"trained {settings.steps} steps on {dataset.name} ({dataset.source}): {path}")
    return last_loss(folder)


def assay_command(config: Config, folder: Path) -> None:
    """Run one assay on a checkpoint and write result.h5 and its picture into the folder."""
    keep_freed_memory()
    began = time.time()
    name, seed = config.choices["assay"], whole_seed(config)
    device = choose_device(str(config.value("device")), "device")
    assay = cast(Callable[..., AssayResult | Mapping[str, AssayResult]], config.build("assay"))
    path = checkpoint.find(str(config.value("ckpt")))
    inputs = {"checkpoint": hashlib.sha256(path.read_bytes()).hexdigest()}
    trained = checkpoint.load(path)
    runs.check_same(folder, config)
    if status.finished(folder, runs.identity(config), inputs):
        console.note(f"{folder} is finished; nothing to do")
        return

    stored = config.stored(trained.config, override="dataset")
    dataset = splits.part(open_dataset(stored), measured_part(config, stored))
    model = build_model(stored, dataset)
    checkpoint.load_weights(model, trained.model, path)
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.eval()
    with working(config, folder, "assay", inputs):
        with console.WorkProgress(name.replace("_", " ")) as progress:
            measured = assay(model, dataset, torch.Generator().manual_seed(seed), progress=progress)
        found = {name: measured} if isinstance(measured, AssayResult) else measured
        provenance: dict[str, str | int | float] = {
            **results.environment(),
            "config": config.text,
            "checkpoint": str(path),
            "checkpoint_sha256": inputs["checkpoint"],
            "checkpoint_config": trained.config,
            "checkpoint_origin": trained.origin,
            "trained_steps": trained.step,
            "trained_on": f"{trained.data['name']} ({trained.data['source']}, {trained.data['fingerprint']})",
            "model": stored.target("autoencoder" if stored.value("autoencoder._target_") else "model"),
            "dataset": dataset.name,
            "dataset_source": dataset.source,
            "dataset_fingerprint": dataset.fingerprint,
            "seed": seed,
            "device": str(device),
            "wall_time_s": time.time() - began,
        }
        target = folder / RESULT
        runs.write_config(folder, config)  # now, so that refused settings do not stay as the folder's
        results.write(target, found, provenance)
        pictures = [picture for part in found for picture in draw(part, target, folder)]
    console.show_results(found)
    for part, result in found.items():
        if result.settings.get("remark"):
            console.warn(f"{part}: {result.settings['remark']}")
    console.note(f"data: {dataset.name} ({dataset.source})")
    for written in (target, *pictures):
        console.note(str(written))


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


COMMANDS: dict[str, Callable[[Config, Path], float | None]] = {
    "train": train_command,
    "assay": assay_command,
    "import": import_command,
    "prepare": prepare_command,
}


@contextmanager
def working(
    config: Config, folder: Path, command: str, inputs: Mapping[str, str] | None = None
) -> Iterator[status.Working]:
    """Hold the run folder for the block, and say in it how the block went."""
    with status.working(
        folder, command=command, overrides=config.overrides, config=runs.identity(config), inputs=inputs
    ) as work:
        runs.check_same(folder, config)  # again: another process may have been here first
        yield work


def open_dataset(config: Config) -> Dataset:
    """The data set of a config; the first time, what has to be rendered or converted shows its progress."""
    with console.WorkProgress("preparing the data set (once)") as progress:
        return cast(Dataset, config.build("dataset", progress=progress))


def measured_part(config: Config, stored: Config) -> str:
    """The part of the data set to measure on: what `split` says, else what training left out, if it left out any."""
    asked, trained = config.value("split"), stored.value("split")
    return str(asked) if asked is not None else splits.ALL if trained in (None, splits.ALL) else "test"


def build_model(config: Config, dataset: Dataset) -> nn.Module:
    """The model of a config, told the data set's shape, its weights drawn from the config's seed.

    A config with a node `autoencoder` has a class of the user's own, which may take the shape and `latent_dim` too.
    """
    known = {"observation_shape": dataset.observation_shape, "latent_dim": config.value("latent_dim")}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(whole_seed(config))
        if config.value("autoencoder._target_"):
            own = {key: value for key, value in known.items() if config.value(f"autoencoder.{key}") is None}
            model = config.build("autoencoder", **own)
        else:
            network = config.build("network")
            model = config.build("model", network=network, dataset_size=num_drawn(dataset), **known)
    if not isinstance(model, nn.Module) or not isinstance(model, Autoencoder):
        raise ValueError(
            f"autoencoder._target_ makes {type(model).__name__}, which is no torch module with encode and decode"
        )
    return model


def whole_seed(config: Config) -> int:
    """The key `seed`, checked."""
    seed = config.value("seed")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be a whole number from 0 to 2**32 - 1, not {seed!r}")
    return seed


def draw(name: str, result: Path, folder: Path) -> list[Path]:
    """The pictures of an assay, drawn from its result file by the report module of the same name, if it has one."""
    module = f"lrx.report.{name}"
    if importlib.util.find_spec(module) is None:
        return []
    return cast(list[Path], importlib.import_module(module).draw(result, folder))

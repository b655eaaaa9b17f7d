"""`lrx prepare`: verify the official files of a data set, fetch missing ones, convert them, and report it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from lrx.cli.config import Config
from lrx.cli.console import messages
from lrx.cli.console.progress import WorkProgress
from lrx.core.paths import expand_user
from lrx.core.types import Dataset
from lrx.data.official.checksums import OfficialFile
from lrx.data.official.download import fetch, verdict


def prepare_command(config: Config, folder: Path) -> None:
    """Find, verify and, where asked to, fetch the official files; then open the data set, which converts them.

    folder: not used; what is made is kept with the data. FileNotFoundError, after a block that names each missing file,
    where the data set cannot be opened without them; ValueError for settings; OSError as in
    lrx.data.official.download.fetch.
    """
    name, source, download = config.choices["dataset"], config.value("dataset.source"), config.value("download")
    if not isinstance(download, bool):
        raise ValueError(f"download must be true or false, not {download!r}")
    if config.value("official") is None:
        messages.note(f"{name} needs no official files")
        _open(config)
    elif source not in (None, "auto", "file"):
        messages.note(f"dataset.source={source}: official files of {name} are not looked for")
        _open(config)
    else:
        _prepare_files(config, name, download)


def _prepare_files(config: Config, name: str, download: bool) -> None:
    root = expand_user(str(config.value("dataset.root")))
    folders = (root, root / name)
    missing: list[OfficialFile] = []
    for file in cast(list[OfficialFile], config.build("official")):
        path = next((folder / file.name for folder in folders if (folder / file.name).is_file()), None)
        if path is not None:
            messages.note(f"{path}: {path.stat().st_size:,} bytes, verifying")
            messages.note(f"{path}: {verdict(file, path)[1]}")
        elif download and file.address is not None:
            _fetch(config, file, root / name)
        else:
            missing.append(file)
    try:
        _open(config, source="file")  # the data set knows best what is enough: another edition, an unpacked folder
    except FileNotFoundError as error:
        if not missing:
            raise
        _name_missing(config, name, missing, folders)
        raise FileNotFoundError(f"{name} is not ready: official files are missing, see above") from error


def _fetch(config: Config, file: OfficialFile, folder: Path) -> None:
    messages.note(f"{file.name}: fetching {file.address}")
    with WorkProgress(f"fetching {file.name}") as progress:
        path = fetch(
            file,
            folder,
            retries=cast(int, config.value("retries")),
            timeout=cast(float, config.value("timeout")),
            progress=progress,
            on_retry=messages.note,
        )
    published = "no checksum published" if file.release is None else f"{file.release.algorithm} as published"
    messages.note(f"{path}: {path.stat().st_size:,} bytes, {published}")


def _open(config: Config, **given: object) -> None:
    with WorkProgress("preparing the data set (once)") as progress:
        dataset = cast(Dataset, config.build("dataset", progress=progress, **given))
    what = "images" if len(dataset.observation_shape) == 3 else "points"
    messages.note(f"ready: {dataset.name}, {len(dataset):,} {what}, {dataset.source}")


def _name_missing(config: Config, name: str, missing: Sequence[OfficialFile], folders: Sequence[Path]) -> None:
    """Show what is needed to get the missing files: names, sizes, checksums, pages, folders, and the command."""
    messages.note(f"official files of {name} that are missing:")
    for file in missing:
        size = "size not published" if file.num_bytes is None else f"{file.num_bytes:,} bytes"
        checksum = (
            "no checksum published" if file.release is None else f"{file.release.algorithm} {file.release.digest}"
        )
        address = "no address to fetch it from, save it by hand" if file.address is None else f"address {file.address}"
        for line in (file.name, f"  {size}, {checksum}", f"  published at {file.page}", f"  {address}"):
            messages.note(f"  {line}")
    messages.note(f"looked for in {' and in '.join(map(str, folders))}")
    if any(file.address for file in missing):
        settings = {key: config.value(f"dataset.{key}") for key in ("variant", "part", "root")}
        words = [f"dataset.{key}={value}" for key, value in settings.items() if value is not None]
        command = shlex.join(["lrx", "prepare", f"dataset={name}", *words, "download=true"])
        messages.note(f"to fetch what has an address: {command}")
    if all(file.rendered for file in missing):
        messages.note("to do without, for lrx renders these images: dataset.source=rendered")

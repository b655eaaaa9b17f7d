"""The commands by name, each a function of a composed config and a run folder; those on folders are in folders.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lrx.cli.build import Config
from lrx.cli.commands.assay import assay_command
from lrx.cli.commands.import_weights import import_command
from lrx.cli.commands.prepare import prepare_command
from lrx.cli.commands.train import train_command

COMMANDS: dict[str, Callable[[Config, Path], float | None]] = {
    "train": train_command,
    "assay": assay_command,
    "import": import_command,
    "prepare": prepare_command,
}

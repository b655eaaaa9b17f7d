"""Folders of other packages, with weights and their config: `lrx import weights=FOLDER`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from lrx.cli import conventions, diffusers_folder
from lrx.cli.build import build_model
from lrx.cli.config import Config
from lrx.cli.targets import SPARSE_AUTOENCODER
from lrx.core.checksum import file_sha256, sha256
from lrx.core.text import join_names
from lrx.core.types import Dataset
from lrx.storage import dictionary_learning, saelens
from lrx.storage.sparse_folder import SparseFolder
from lrx.storage.state_dict import load_weights

READERS = {  # by the file that marks a folder
    saelens.WEIGHTS: (saelens.CONFIG, saelens.read_saelens),
    dictionary_learning.WEIGHTS: (dictionary_learning.CONFIG, dictionary_learning.read_dictionary_learning),
}
SAID_BY_FOLDER = (
    *conventions.CONVENTIONS,
    "weights_key",
    "autoencoder",
    "trust",
    "model",
    "network",
    "layout",
    "latent_dim",
)


@dataclass(frozen=True)
class ImportedFolder:
    """Model of a folder, the config that describes it, the SHA-256 of its files, and lines for a person."""

    config: Config
    model: nn.Module
    digest: str
    lines: tuple[str, ...]


def read_folder(config: Config, source: Path) -> SparseFolder:
    """Read a folder of another package. ValueError for a folder of none, and for keys that it says itself."""
    typed = [word for word in config.overrides if word.lstrip("+").startswith(SAID_BY_FOLDER)]
    there = sorted(path.name for path in source.iterdir())
    for weights, (settings, read) in READERS.items():
        if weights not in there:
            continue
        if settings not in there:
            raise ValueError(f"weights={source} has {weights}, and no {settings}, which says what the weights mean")
        if typed:
            raise ValueError(f"{typed[0]} is for a file of weights; the folder {source} says itself what its model is")
        return read(source)
    files = [(settings, weights) for weights, (settings, _) in READERS.items()]
    files.append((diffusers_folder.SETTINGS, diffusers_folder.WEIGHTS))
    pairs = " or ".join(f"{settings} and {weights}" for settings, weights in files)
    has = join_names(there) or "nothing"
    raise ValueError(f"weights={source}: it is a folder without {pairs}; it has {has}; give one of its files")


def build_folder(config: Config, found: SparseFolder, dataset: Dataset) -> ImportedFolder:
    """Build the model of a folder. ValueError where the data set has other vectors, or weights are not finite."""
    size = found.tensors["decoder_bias_P"].shape[0]
    if tuple(dataset.observation_shape) != (size,):
        raise ValueError(
            f"the model is a code of vectors of {size} numbers, and observations of {dataset.name} have shape "
            f"{tuple(dataset.observation_shape)}; give the activations that it was trained on, as dataset=arrays "
            "dataset.path=FILE"
        )
    described = config.replaced("autoencoder", {"_target_": SPARSE_AUTOENCODER, **found.settings})
    described = described.replaced("latent_dim", found.settings["latent_dim"])
    model = build_model(described, dataset)
    load_weights(model, found.tensors, found.files[-1])
    lines = [f"read {join_names([path.name for path in found.files])} of {found.package}", *found.notes]
    digest = sha256("\n".join(f"{path.name} {file_sha256(path)}" for path in found.files))
    return ImportedFolder(described, model, digest, tuple(lines))

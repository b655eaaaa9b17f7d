"""Value of `weights=` of `lrx import`: a file, a folder that another package saved, or a file for each part.

A folder of diffusers is a class with the file of its weights; `lrx.cli.import_folder` has a table of the other kinds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lrx.cli.config import Config
from lrx.cli.diffusers_folder import describe_diffusers, is_diffusers
from lrx.core.checksum import file_sha256
from lrx.core.paths import expand_user
from lrx.core.text import join_names


@dataclass(frozen=True)
class Weights:
    """Files of weights by the part of the model that they are of, `""` for all of it, and remarks on them.

    folder: one of another kind, which `lrx.cli.import_folder` reads.
    """

    files: Mapping[str, Path]
    name: str
    remarks: list[str] = field(default_factory=list)
    folder: Path | None = None

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of each file, by `weights` or `weights.PART`."""
        return {f"weights.{part}".rstrip("."): file_sha256(path) for part, path in self.files.items()}

    def origin(self) -> str:
        """Return names and digests of the files in a line."""
        digests = self.digests().values()
        pairs = zip(self.files.items(), digests, strict=True)
        if len(self.files) == 1:
            return f"{self.name}, sha256 {next(iter(digests))}"
        return "; ".join(f"{part} of {path.name}, sha256 {digest}" for (part, path), digest in pairs)


def find_weights(config: Config) -> tuple[Config, Weights]:
    """Return the files that `weights` names, and the config, to which a folder adds the model that is in it.

    ValueError for a folder of diffusers that cannot be read, and for parts without a name or a file.
    """
    value = config.plain("weights")
    path = expand_user(value) if isinstance(value, str) else None
    if path is not None and path.is_dir():
        return _folder(config, path)
    check_no_latent_units(config)
    return config, _parts(value) if path is None else Weights({"": path}, path.name)


def _parts(value: object) -> Weights:
    if not isinstance(value, dict) or not value or not all(isinstance(word, str) for word in (*value, *value.values())):
        raise ValueError(
            f"weights={value} must be a file or a folder, or name the file of each part of the model, as in "
            "'weights={encoder:enc.pth,decoder:dec.pth}'"
        )
    files = {str(part): expand_user(str(path)) for part, path in value.items()}
    return Weights(files, join_names([path.name for path in files.values()]))


def _folder(config: Config, folder: Path) -> tuple[Config, Weights]:
    if not is_diffusers(folder):
        check_no_latent_units(config)
        return config, Weights({}, folder.name, folder=folder)
    if config.value("autoencoder._target_"):
        raise ValueError(f"weights={folder} says its class itself; leave out autoencoder._target_, or give its file")
    described, file, remarks = describe_diffusers(config, folder)
    return described, Weights({"": file}, f"{folder.name}/{file.name}", remarks)


def check_no_latent_units(config: Config) -> None:
    """Check that units are not asked for where nothing says them. ValueError says what to write."""
    if config.value("latent_units") is not None:
        raise ValueError(
            "latent_units is for a folder of diffusers; for a class of your own give autoencoder.latent_mean and "
            "autoencoder.latent_std"
        )

"""`lrx.load`: a trained or imported run in python, with its model, its data and its config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf

from lrx.cli.build import load_model, open_dataset
from lrx.cli.commands.assay import about_checkpoint, measured_part
from lrx.cli.config import Config
from lrx.cli.finished import code_of
from lrx.core.devices import choose_device
from lrx.core.types import Autoencoder, Dataset
from lrx.data import splits
from lrx.storage import results
from lrx.training import checkpoint


@dataclass(frozen=True)
class Run:
    """Loaded run.

    model: in evaluation mode. dataset: the part to measure on. config: dotted keys and values as text.
    provenance: what a result measured on it says of it.
    """

    path: Path
    model: Autoencoder
    dataset: Dataset
    config: dict[str, str]
    provenance: results.Provenance

    def __repr__(self) -> str:
        """Return the run in a line."""
        kind = self.config.get("model._target_", type(self.model).__name__).rpartition(".")[2]
        return f"Run({str(self.path)!r}: {kind} on {self.dataset.name}, {len(self.dataset)} observations)"


def load(
    path: str | Path,
    *,
    split: str | None = None,
    root: str | Path | None = None,
    trust: Sequence[str] = (),
    device: str = "cpu",
) -> Run:
    """Load a run folder or a checkpoint, as `lrx assay ckpt=...` does.

    split: the part of the data to measure on; None for `test` where training drew from a part, else all.
    root: the folder of the data, where it is not where the run found it. trust: packages whose code an imported model
    may run. device: `cpu`, `cuda`, or `auto`.
    FileNotFoundError for a missing checkpoint or data file, ValueError for a damaged one or code that is not trusted.
    """
    file = checkpoint.find(str(path))
    trained, digest = checkpoint.load_with_sha256(file)
    asked = {"trust": list(trust), "split": split, "dataset": {"root": None if root is None else str(root)}}
    config = Config(OmegaConf.create(asked), {})
    stored = config.stored(trained.config, override="dataset")
    dataset = splits.part(open_dataset(stored), measured_part(config, stored))
    chosen = choose_device(device, "device")
    model = load_model(stored, dataset, trained, file, chosen)
    provenance: dict[str, str | int | float] = {
        **results.environment(),
        **about_checkpoint(trained, file, digest),
        "model": stored.target("autoencoder" if stored.value("autoencoder._target_") else "model"),
        "device": str(chosen),
        "config": "",
        **({"code_sha256": code} if (code := code_of(stored)) else {}),
    }
    return Run(Path(path), model, dataset, stored.flat(), provenance)

"""Response matrix that a run has been measured to have, to be shown beside its sliders."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from lrx.core.types import Autoencoder, Dataset
from lrx.explore.session import StoredMatrix
from lrx.responses.encoding import latent_shape
from lrx.responses.units import units_of
from lrx.runs.catalog import find_measured
from lrx.storage import results

MATRIX = "response_matrix"


def stored_matrix(
    path: Path,
    model: Autoencoder,
    dataset: Dataset,
    provenance: Mapping[str, object],
    *,
    warn: Callable[[str], object],
) -> StoredMatrix | None:
    """Return the newest response matrix of a run, over the units of its sliders; None where there is none.

    path: of the run, its folder or checkpoint. provenance: what results of the run say of it. warn: called with a line
    for each result that cannot be read.
    """
    labels = units_of(latent_shape(model, dataset), None).labels
    try:
        measured = find_measured(path if path.is_dir() else path.parent)
        files = [file for found in measured for file in found.result_files]
    except (ValueError, OSError):  # a checkpoint that lies outside a run folder
        return None
    for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True):
        try:
            stored = results.read(file)
        except ValueError as error:
            warn(str(error))
            continue
        result, key = stored.assays.get(MATRIX), "checkpoint_sha256"
        if result is None or stored.provenance_of[MATRIX].get(key) != provenance[key]:
            continue
        if list(map(str, result.coordinates["intervened"])) != list(map(str, labels)):
            continue
        shown = Path(os.path.relpath(file))
        about = f"{shown} ({result.settings['num_samples']} draws, base {result.settings['base']})"
        return StoredMatrix(result.arrays["matrix"].values, result.arrays["matrix_se"].values, about)
    return None

"""Output of an assay: its file and pictures in the run folder, its scores and remarks on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lrx.cli.config import Config
from lrx.cli.console import messages
from lrx.core.types import AssayResult, Dataset
from lrx.runs import run_folder
from lrx.storage import results


def write_output(
    config: Config, folder: Path, by_name: Mapping[str, AssayResult], provenance: results.Provenance
) -> list[Path]:
    """Write config, results and pictures; return the results file and the pictures."""
    run_folder.write_config(folder, config.text)  # now, so that refused settings do not stay as the folder's
    target = folder / results.FILENAME
    results.write(target, by_name, provenance)
    from lrx.assays.plotting import drawing  # matplotlib takes half a second to import

    return [target, *(picture for part in by_name for picture in drawing.draw(part, target, folder))]


def show_output(by_name: Mapping[str, AssayResult], dataset: Dataset, written: Sequence[Path]) -> None:
    """Print scores, remarks, the data and the files written."""
    messages.show_results(by_name)
    for part, result in by_name.items():
        if result.settings.get("remark"):
            messages.warn(f"{part}: {result.settings['remark']}")
    messages.note(f"data: {dataset.name} ({dataset.source})")
    for path in written:
        messages.note(str(path))

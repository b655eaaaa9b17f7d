"""Output of an assay: its file and pictures in the run folder, its scores and remarks on the terminal."""

from __future__ import annotations

import shlex
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


def show_output(
    by_name: Mapping[str, AssayResult], dataset: Dataset, written: Sequence[Path], told: Sequence[str] = ()
) -> None:
    """Print scores, remarks other than those that were told before the work began, the data and the files written."""
    messages.show_results(by_name)
    before = "; ".join(told)
    for part, result in by_name.items():
        remark = str(result.settings.get("remark") or "").removeprefix(before).removeprefix("; " if before else "")
        if remark:
            messages.warn(f"{part}: {remark}")
    if len(by_name) > 1:
        messages.note(f"all scores, settings and provenance: lrx show {shlex.quote(str(written[0].parent))} --all")
    messages.note(f"data: {dataset.name} ({dataset.source})")
    for path in written:
        messages.note(str(path))

"""`lrx explore`: serve a page with sliders of a model's latents, or draw views of it into a file."""

from __future__ import annotations

import os
import webbrowser
from pathlib import Path
from typing import cast

import torch

from lrx.cli.config import Config
from lrx.cli.console import messages
from lrx.cli.load import Run, load
from lrx.core.foreign_code import is_foreign
from lrx.core.malloc import keep_freed_memory
from lrx.core.paths import expand_user
from lrx.core.threads import set_threads
from lrx.core.validation import SettingError, check_whole
from lrx.explore import serve
from lrx.explore.session import Session, StoredMatrix
from lrx.explore.strip import FORMATS, draw
from lrx.report.commands import unquoted
from lrx.responses.contract import check_contract
from lrx.responses.measurement import Measurement, measurement
from lrx.runs.catalog import find_measured
from lrx.storage import atomic, results

OF_THE_RUN = ("ckpt", "split", "device", "trust", "dataset.root")  # keys that say what is explored
PORTS = 65535
MATRIX = "response_matrix"


def explore_command(config: Config, folder: Path) -> None:
    """Serve the page of a checkpoint until Ctrl-C; or, with `views` and `out`, draw them. folder: not used."""
    out, views, port, browser = (config.plain(key) for key in ("out", "views", "port", "browser"))
    if (out is None) != (views is None):
        raise ValueError("views=[...] are drawn into out=FILE.svg: give both, or neither for a page")
    if out is not None and Path(str(out)).suffix[1:] not in FORMATS:
        raise ValueError(f"out={out} must end in one of {', '.join(f'.{kind}' for kind in FORMATS)}")
    check_whole("port", port, 1, null=True)
    if port is not None and cast(int, port) > PORTS:
        raise SettingError(f"port must be null or a whole number from 1 to {PORTS}, not {port}")
    if not isinstance(browser, bool):
        raise ValueError(f"browser must be true or false, not {browser!r}")
    if out is not None:
        _draw(config, views, expand_user(str(out)))
        return
    serve.check_installed()
    bound = serve.listen(cast("int | None", port))
    with bound:
        words = [unquoted(word) for word in config.overrides if word.partition("=")[0] in OF_THE_RUN]

        def announce(address: str) -> None:
            messages.show_lines([address])
            messages.note("for this machine alone; Ctrl-C ends it")
            if browser:
                webbrowser.open(address)

        serve.serve(_session(config), ["lrx", "explore", *words], bound, announce=announce)
    messages.note("stopped")


def _draw(config: Config, views: object, out: Path) -> None:
    session, show = _session(config), config.plain("show")
    if not isinstance(views, list) or not views:
        raise ValueError(f"views must be a list such as [{{image:17,set:{{6:1.2}}}}], not {views!r}")
    units = session.order if show is None else session.checked_units("show", show)
    atomic.write(out, draw(session, [session.view(view) for view in views], units, out.suffix[1:]))
    messages.note(str(out))


def _session(config: Config) -> Session:
    """Load the run of a config, warn of what is doubtful in an imported model, and prepare its session."""
    keep_freed_memory()
    set_threads(os.environ)
    split, root, trust = config.value("split"), config.value("dataset.root"), config.plain("trust")
    run = load(
        expand_user(str(config.value("ckpt"))),
        split=None if split is None else str(split),
        root=None if root is None else str(root),
        trust=cast(list[str], trust),
        device=str(config.value("device")),
    )
    if is_foreign(run.model) or run.provenance["checkpoint_origin"]:
        for remark in check_contract(run.model, run.dataset):
            messages.warn(remark)
    m = measured(run)
    return Session(m, stored_matrix(run, m))


def measured(run: Run) -> Measurement:
    """Prepare a run to be measured; always with the same draws."""
    return measurement(run.model, run.dataset, torch.Generator().manual_seed(0))


def stored_matrix(run: Run, m: Measurement) -> StoredMatrix | None:
    """Return the newest response matrix that was measured on a run with its units; None where there is none."""
    path = run.path if run.path.is_dir() else run.path.parent
    try:
        files = [file for found in find_measured(path) for file in found.result_files]
    except (ValueError, OSError):  # a checkpoint that lies outside a run folder
        return None
    for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True):
        try:
            stored = results.read(file)
        except ValueError as error:
            messages.warn(str(error))
            continue
        result, key = stored.assays.get(MATRIX), "checkpoint_sha256"
        if result is None or stored.provenance_of[MATRIX].get(key) != run.provenance[key]:
            continue
        if list(map(str, result.coordinates["intervened"])) != list(map(str, m.units.labels)):
            continue
        shown = Path(os.path.relpath(file))
        about = f"{shown} ({result.settings['num_samples']} draws, base {result.settings['base']})"
        return StoredMatrix(result.arrays["matrix"].values, result.arrays["matrix_se"].values, about)
    return None

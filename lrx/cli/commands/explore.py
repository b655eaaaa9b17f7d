"""`lrx explore`: serve a page with sliders of a model's latents, or draw views of it into a file."""

from __future__ import annotations

import os
import webbrowser
from pathlib import Path
from typing import cast

from lrx.cli.config import Config
from lrx.cli.console import messages
from lrx.cli.load import load
from lrx.core.foreign_code import is_foreign
from lrx.core.malloc import keep_freed_memory
from lrx.core.paths import expand_user
from lrx.core.threads import set_threads
from lrx.core.validation import SettingError
from lrx.explore import serve
from lrx.explore.commands import in_shell
from lrx.explore.interface import check_output, draw_into, session_of
from lrx.explore.session import Session
from lrx.explore.stored_matrix import stored_matrix
from lrx.report.commands import unquoted
from lrx.responses.contract import check_contract

OF_THE_RUN = ("ckpt", "split", "device", "trust", "dataset.root")  # keys that say what is explored


def explore_command(config: Config, folder: Path) -> None:
    """Serve the page of a checkpoint until Ctrl-C; or, with `views` and `out`, draw them. folder: not used."""
    out, views, browser = (config.plain(key) for key in ("out", "views", "browser"))
    check_output(views, out)
    if not isinstance(browser, bool):
        raise SettingError(f"browser must be true or false, not {browser!r}")
    if out is not None:
        path = expand_user(str(out))
        draw_into(path, _session(config), views, config.plain("show"))
        messages.note(str(path))
        return
    serve.check_installed()
    words = [unquoted(word) for word in config.overrides if word.partition("=")[0] in OF_THE_RUN]

    def announce(address: str) -> None:
        messages.show_lines([address])
        messages.note("for this machine alone; Ctrl-C ends it")
        if browser:
            webbrowser.open(address)

    with serve.listen(config.value("port")) as bound:
        serve.serve(_session(config), in_shell(words), bound, announce=announce)
    messages.note("stopped")


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
    matrix = stored_matrix(run.path, run.model, run.dataset, run.provenance, warn=messages.warn)
    return session_of(run.model, run.dataset, matrix)

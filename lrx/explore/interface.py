"""Exploration from python: a model or a run, and images; a page, or a strip of views in a file."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import torch

from lrx.assays.interface import Run, subject
from lrx.core.foreign_code import is_foreign
from lrx.core.types import Autoencoder, Dataset
from lrx.core.validation import SettingError
from lrx.explore import serve
from lrx.explore.commands import in_python
from lrx.explore.session import Session, StoredMatrix
from lrx.explore.stored_matrix import stored_matrix
from lrx.explore.strip import FORMATS, draw
from lrx.responses.contract import check_contract
from lrx.responses.measurement import measurement
from lrx.storage.atomic import write


def explore(
    model: Run | Autoencoder,
    data: object = None,
    *,
    port: int | None = None,
    views: object = None,
    show: object = None,
    out: str | Path | None = None,
) -> None:
    """Serve a page of a model on this machine until Ctrl-C, and print its address; or draw views into a file.

    model, data: as of `lrx.assay`. port: None for a free one.
    views: list of mappings such as {"image": 17, "set": {6: 1.2}}, which the page writes (`lrx.explore.view`), to be
    drawn into the file `out`, .png, .svg or .pdf. show: latents whose responses are drawn with them; None for those
    that answer most.
    ValueError for what there is not, and without starlette and uvicorn where a page is asked for.
    """
    check_output(views, out)
    if out is None:
        serve.check_installed()
    autoencoder, dataset, provenance = subject(model, data)
    for remark in check_contract(autoencoder, dataset) if is_foreign(autoencoder) else []:
        warnings.warn(remark, stacklevel=3)
    given, matrix = "model, images", None
    if isinstance(model, Run) and data is None:
        given = "run"
        matrix = stored_matrix(model.path, autoencoder, dataset, provenance, warn=warnings.warn)
    if out is not None:
        draw_into(Path(out), session_of(autoencoder, dataset, matrix), views, show)
        return
    with serve.listen(port) as bound:
        serve.serve(session_of(autoencoder, dataset, matrix), in_python(given), bound, announce=print)


def check_output(views: object, out: object) -> None:
    """Check that views and a file are given together, or neither. SettingError, too, for a file of another kind."""
    if (out is None) != (views is None):
        raise SettingError("views are drawn into a file: give both views and out, or neither for a page")
    if out is not None and os.path.splitext(str(out))[1][1:] not in FORMATS:
        raise SettingError(f"out must end in one of {', '.join(f'.{kind}' for kind in FORMATS)}, not {str(out)!r}")


def session_of(autoencoder: Autoencoder, dataset: Dataset, matrix: StoredMatrix | None = None) -> Session:
    """Return the session of a model, always with the same draws."""
    return Session(measurement(autoencoder, dataset, torch.Generator().manual_seed(0)), matrix)


def draw_into(out: Path, session: Session, views: object, show: object) -> None:
    """Draw views, as they are typed, into a file. SettingError for views and latents that there are not."""
    if not isinstance(views, list) or not views:
        raise SettingError(f"views must be a list such as [{{image:17,set:{{6:1.2}}}}], not {views!r}")
    units = session.order if show is None else session.checked_units("show", show)
    write(out, draw(session, [session.view(view) for view in views], units, out.suffix[1:]))

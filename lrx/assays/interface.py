"""Assays from python: a name, a model or a run, images, settings; a `Result` back."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from lrx.assays import catalog
from lrx.assays.result import Result
from lrx.assays.run import run_assay
from lrx.core.adapt import describe_parts, likely_parts
from lrx.core.data_identity import about_data
from lrx.core.devices import configure_backends
from lrx.core.foreign_code import is_foreign
from lrx.core.settings import Checked, from_keywords
from lrx.core.source_code import about_code
from lrx.core.text import did_you_mean
from lrx.core.types import AssayResult, Autoencoder, Dataset
from lrx.data.codes import CodesDataset, named_columns
from lrx.data.in_memory import as_dataset
from lrx.responses.contract import check_contract
from lrx.responses.encoding import about_codes, device_and_dtype_of
from lrx.storage.results import Provenance, environment
from lrx.storage.state_dict import fingerprint


@runtime_checkable
class Run(Protocol):
    """Trained model and the data that it is measured on, as `lrx.load` gives them. path: of the run."""

    path: Path
    model: Autoencoder
    dataset: Dataset
    provenance: Provenance


def assay(
    name: str, model: Run | Autoencoder, data: object = None, *, seed: int = 0, **settings: object
) -> Result | dict[str, Result]:
    """Run one assay, such as `response_matrix` (`lrx.list_assays()` names them).

    model: a run of `lrx.load`, or any module with encode (B, *shape) -> (B, D) and decode (B, D) -> (B, *shape);
        `lrx.adapt` wraps one whose methods have other names or ranges.
    data: images as an array or tensor, uint8 or float in [0, 1], (N, H, W), (N, H, W, C) or (N, C, H, W); vectors
        (N, P); a torch Dataset; or a data set of lrx. None takes the data of a run.
    seed: of all draws. settings: those of the assay, by keyword; `help(lrx.settings("response_matrix"))` shows them.

    `paper` gives a result for each assay, by name. A model that is not lrx's own is tried on a few images: what is
    doubtful is a warning, and a remark of the result. ValueError says what was given, what is valid, what to do.
    """
    began = time.monotonic()
    autoencoder, dataset, provenance = subject(model, data)
    chosen = settings_class(name)
    configure_backends(device_and_dtype_of(autoencoder).device, tf32=False, repeatable=False)
    generator = torch.Generator().manual_seed(seed)
    made = _with_defaults(name, chosen, settings)
    remarks: list[str] = []
    if is_foreign(autoencoder) or provenance.get("checkpoint_origin"):
        remarks = check_contract(autoencoder, dataset)
    for remark in remarks:
        warnings.warn(remark, stacklevel=2)
    measured = run_assay(made, autoencoder, dataset, generator, remarks=remarks)
    provenance = {
        **provenance,
        **about_codes(autoencoder, dataset),
        "seed": seed,
        "wall_time_s": time.monotonic() - began,
    }
    if isinstance(measured, AssayResult):
        return Result(name, measured, provenance)
    return {part: Result(part, result, provenance) for part, result in measured.items()}


def metrics(
    codes: object,
    factors: object,
    *,
    factor_names: Sequence[str] | None = None,
    seed: int = 0,
    **settings: object,
) -> Result:
    """Score codes (N, D) of any origin against known factors (N, F), as `assay=metrics` does; no model is needed.

    codes, factors: arrays, tensors or lists, a row a point. Factors of whole numbers are classes, all others
    continuous, unless `continuous=[...]` names those that are.
    factor_names: of the columns; None for factor_1, factor_2, ...
    seed: of all draws, such as the split into training and test points. settings: those of the assay, by keyword, such
    as `preset="fast"`, `only=["mig", "mcc"]`; `help(lrx.settings("metrics"))` shows them.
    ValueError in one line for what is no array of finite numbers, other lengths, or settings that do not fit.
    """
    dataset = CodesDataset(codes, named_columns(factors, factor_names), name="codes", source="arrays in memory")
    result = assay("metrics", dataset.model(), dataset, seed=seed, **settings)
    assert isinstance(result, Result)
    return result


def list_assays() -> dict[str, str]:
    """Return the question of each assay by name."""
    return {name: description.question for name, description in catalog.descriptions().items()}


def settings_class(name: str) -> type[Checked]:
    """Return the settings of an assay: a dataclass with default and meaning of each. ValueError for another name."""
    names = [*catalog.descriptions(), "paper"]
    if name not in names:
        near = did_you_mean(name, names)
        raise ValueError(f"there is no assay {name!r}; the assays are {', '.join(names)}{near}")
    return catalog.settings_of(name)


def _with_defaults(name: str, settings: type[Checked], given: Mapping[str, object]) -> Checked:
    if name != "paper":
        return from_keywords(settings, given)
    from lrx.assays.paper.assay import default_assays  # imports every assay

    return from_keywords(settings, {"assays": default_assays(), **given})


def subject(model: Run | Autoencoder, data: object) -> tuple[Autoencoder, Dataset, Provenance]:
    """Return the model, the data and what a result says of them. ValueError where one of them is missing."""
    if isinstance(model, Run):
        dataset = model.dataset if data is None else as_dataset(data)
        return model.model, dataset, {**model.provenance, **about_data(dataset)}
    if not isinstance(model, Autoencoder):
        parts = likely_parts(model) if isinstance(model, nn.Module) else {"encode": "encoder", "decode": "decoder"}
        keywords = ", ".join(f"{key}={value!r}" for key, value in parts.items())
        has = f"; it has {describe_parts(model)}" if isinstance(model, nn.Module) else ""
        raise ValueError(
            f"{type(model).__name__} has no encode and decode; wrap it, as in lrx.adapt(model, {keywords}){has}"
        )
    if data is None:
        raise ValueError("images are needed: lrx.assay(name, model, images)")
    dataset = as_dataset(data)
    kind = type(model)
    about: dict[str, str | int | float] = {
        **environment(),
        "model": f"{kind.__module__}.{kind.__qualname__}",
        "checkpoint_sha256": fingerprint(model.state_dict()) if isinstance(model, nn.Module) else "",
        "device": str(device_and_dtype_of(model).device),
        "config": "",
        **about_code(kind.__module__),
    }
    return model, dataset, {**about, **about_data(dataset)}

"""Summary of a run in words, from its config and the provenance of its results."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lrx.assays.plotting.figure_caption import in_words
from lrx.core.config_text import names_foreign_class
from lrx.report.run_contents import Contents
from lrx.runs.status import UNKNOWN
from lrx.storage import results

CODES = ("codes", "mean_variance")  # arrays of every latent; others may hold some


def sentence(summary: Mapping[str, str]) -> str:
    """Write the summary of a run as one sentence: model, number of latents, data, steps."""
    text = summary["model"].partition(",")[0]
    text += f" with {summary['latents']} latents" if "latents" in summary else ""
    text += f" on {in_brackets(summary['data'])}" if "data" in summary else ""
    return text + (f", {summary['training']}." if "training" in summary else ".")


def summarize(contents: Contents) -> dict[str, str]:
    """Return model, network, latents, data, training, seed, state and checkpoint of a run, those that are recorded."""
    config, last = contents.config, list(contents.results.values())[-1].provenance if contents.results else {}
    own_class = names_foreign_class(config)
    node = "autoencoder" if own_class else "model"
    model = str(last.get("model") or config.get(f"{node}._target_", "model not recorded")).rpartition(".")[2]
    details = [
        f"{key.partition('.')[2].replace('_', ' ')} "
        f"{last.get('reconstruction', value) if key == 'model.reconstruction' else value}"
        for key, value in config.items()
        if key.startswith(f"{node}.") and not key.endswith("_target_") and not (own_class and value == "None")
    ]
    summary = {"model": ", ".join([model, *details])}
    if "network._target_" in config:
        summary["network"] = config["network._target_"].rpartition(".")[2]
    latents = _num_latents(contents) or (None if own_class else config.get("latent_dim"))
    if latents:
        summary["latents"] = str(latents) + (f" ({last['latent_shape']})" if last.get("latent_shape") else "")
    if data := data_of(config, last):
        summary["data"] = data
    logged = contents.curves[-1]["step"] if contents.curves else math.nan
    steps = _steps(last.get("trained_steps")) or _steps(logged)
    if last.get("checkpoint_origin"):
        summary["training"] = f"imported from {last['checkpoint_origin']}"
    elif steps is not None:
        asked = config.get("trainer.steps", "")
        more = f" of {int(asked):,}" if asked.isdecimal() and int(asked) != steps else ""
        summary["training"] = f"trained for {steps:,}{more} steps"
    if "seed" in config and not own_class and not last.get("checkpoint_origin"):  # of a training
        summary["seed"] = config["seed"]
    run = contents.run
    if run.state != UNKNOWN:
        summary["state"] = run.state + (f": {run.why}" if run.why else "")
    if "checkpoint_sha256" in last:
        summary["checkpoint"] = f"sha256 {last['checkpoint_sha256']}"
    return summary


def data_of(config: Mapping[str, str], last: results.Provenance) -> str:
    """Return the data of a run, as its newest result or else its config says; empty where neither does."""
    if "dataset" in last:
        return f"{last['dataset']}: {in_words(str(last.get('dataset_source', 'source not recorded')))}"
    if "dataset._target_" not in config:
        return ""
    asked = f"source {config.get('dataset.source', 'not recorded')}, as asked for"
    return f"{config['dataset._target_'].rpartition('.')[2]}: {asked}"


def _num_latents(contents: Contents) -> int | None:
    """Return the number of latents of the codes that were measured last; None where results do not hold it."""
    for stored in reversed(list(contents.results.values())):
        counted = stored.provenance.get("num_latents")
        if isinstance(counted, int):
            return counted
        for result in stored.assays.values():
            for name, array in result.arrays.items():
                for axis, size in zip(array.axes, array.values.shape, strict=True):
                    if axis == "responding" or (axis == "latent" and name in CODES):
                        return int(size)
    return None


def in_brackets(data: str) -> str:
    """Write the summary's `data` for a sentence.

    >>> in_brackets("dsprites: official file")
    'dsprites (official file)'
    """
    return f"{data.replace(': ', ' (', 1)})"


def _steps(value: str | int | float | None) -> int | None:
    """Return a number of steps of a file, None for what is none."""
    return int(value) if isinstance(value, int | float) and math.isfinite(value) and value >= 0 else None

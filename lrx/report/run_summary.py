"""Summary of a run in words, from its config and the provenance of its results."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lrx.assays.plotting.figure_caption import in_words
from lrx.report.run_contents import Contents
from lrx.runs.status import UNKNOWN


def sentence(summary: Mapping[str, str]) -> str:
    """Write the summary of a run as one sentence: model, number of latents, data, steps."""
    text = summary["model"].partition(",")[0]
    text += f" with {summary['latents']} latents" if "latents" in summary else ""
    text += f" on {in_brackets(summary['data'])}" if "data" in summary else ""
    return text + (f", {summary['training']}." if "training" in summary else ".")


def summarize(contents: Contents) -> dict[str, str]:
    """Return model, network, latents, data, training, seed, state and checkpoint of a run, those that are recorded."""
    config, last = contents.config, list(contents.results.values())[-1].provenance if contents.results else {}
    model = str(last.get("model") or config.get("model._target_", "model not recorded")).rpartition(".")[2]
    details = [
        f"{key.partition('.')[2].replace('_', ' ')} "
        f"{last.get('reconstruction', value) if key == 'model.reconstruction' else value}"
        for key, value in config.items()
        if key.startswith("model.") and not key.endswith("_target_")
    ]
    summary = {"model": ", ".join([model, *details])}
    if "network._target_" in config:
        summary["network"] = config["network._target_"].rpartition(".")[2]
    if "latent_dim" in config:
        summary["latents"] = config["latent_dim"]
    if "dataset" in last:
        summary["data"] = f"{last['dataset']}: {in_words(str(last.get('dataset_source', 'source not recorded')))}"
    elif "dataset._target_" in config:
        asked = f"source {config.get('dataset.source', 'not recorded')}, as asked for"
        summary["data"] = f"{config['dataset._target_'].rpartition('.')[2]}: {asked}"
    logged = contents.curves[-1]["step"] if contents.curves else math.nan
    steps = _steps(last.get("trained_steps")) or _steps(logged)
    if last.get("checkpoint_origin"):
        summary["training"] = f"imported from {last['checkpoint_origin']}"
    elif steps is not None:
        asked = config.get("trainer.steps", "")
        more = f" of {int(asked):,}" if asked.isdecimal() and int(asked) != steps else ""
        summary["training"] = f"trained for {steps:,}{more} steps"
    if "seed" in config:
        summary["seed"] = config["seed"]
    status = contents.run.status
    if status.state != UNKNOWN:
        summary["state"] = status.state + (f": {status.error}" if status.error else "")
    if "checkpoint_sha256" in last:
        summary["checkpoint"] = f"sha256 {last['checkpoint_sha256']}"
    return summary


def in_brackets(data: str) -> str:
    """Write the summary's `data` for a sentence.

    >>> in_brackets("dsprites: official file")
    'dsprites (official file)'
    """
    return f"{data.replace(': ', ' (', 1)})"


def _steps(value: str | int | float | None) -> int | None:
    """Return a number of steps of a file, None for what is none."""
    return int(value) if isinstance(value, int | float) and math.isfinite(value) and value >= 0 else None

"""What was trained on what, in words, from a run's config and the provenance of its results."""

from __future__ import annotations

import math

from lrx.assays.plotting.figure_caption import in_words
from lrx.report.measured_runs import Run


def summary(run: Run) -> str:
    """One sentence: which model, with how many latents, on which data, for how long."""
    known = facts(run)
    said = known["model"].partition(",")[0]
    said += f" with {known['latents']} latents" if "latents" in known else ""
    said += f" on {in_brackets(known['data'])}" if "data" in known else ""
    return said + (f", {known['training']}." if "training" in known else ".")


def facts(run: Run) -> dict[str, str]:
    """What was trained on what, by the name of the fact; what is not recorded is not there."""
    config, last = run.config, list(run.results.values())[-1].provenance if run.results else {}
    model = str(last.get("model") or config.get("model._target_", "model not recorded")).rpartition(".")[2]
    details = [
        f"{key.partition('.')[2].replace('_', ' ')} "
        f"{last.get('reconstruction', value) if key == 'model.reconstruction' else value}"
        for key, value in config.items()
        if key.startswith("model.") and not key.endswith("_target_")
    ]
    told = {"model": ", ".join([model, *details])}
    if "network._target_" in config:
        told["network"] = config["network._target_"].rpartition(".")[2]
    if "latent_dim" in config:
        told["latents"] = config["latent_dim"]
    if "dataset" in last:
        told["data"] = f"{last['dataset']}: {in_words(str(last.get('dataset_source', 'source not recorded')))}"
    elif "dataset._target_" in config:
        asked = f"source {config.get('dataset.source', 'not recorded')}, as asked for"
        told["data"] = f"{config['dataset._target_'].rpartition('.')[2]}: {asked}"
    logged = run.rows[-1]["step"] if run.rows else math.nan
    steps = _steps(last.get("trained_steps")) or _steps(logged)
    if last.get("checkpoint_origin"):
        told["training"] = f"imported from {last['checkpoint_origin']}"
    elif steps is not None:
        asked = config.get("trainer.steps", "")
        more = f" of {int(asked):,}" if asked.isdecimal() and int(asked) != steps else ""
        told["training"] = f"trained for {steps:,}{more} steps"
    if "seed" in config:
        told["seed"] = config["seed"]
    if run.status is not None:
        told["state"] = run.status.state + (f": {run.status.error}" if run.status.error else "")
    if "checkpoint_sha256" in last:
        told["checkpoint"] = f"sha256 {last['checkpoint_sha256']}"
    return told


def in_brackets(data: str) -> str:
    """The fact `data` within a sentence.

    >>> in_brackets("dsprites: official file")
    'dsprites (official file)'
    """
    return f"{data.replace(': ', ' (', 1)})"


def _steps(said: str | int | float | None) -> int | None:
    """Steps as a file says them, None for what is no count of steps."""
    return int(said) if isinstance(said, int | float) and math.isfinite(said) and said >= 0 else None

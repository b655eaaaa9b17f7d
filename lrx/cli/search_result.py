"""Line at the end of a search by optuna, whose sweeper writes what was best to a file and prints nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lrx.core.text import count_of

FILENAME = "optimization_results.yaml"  # of Hydra's sweeper for optuna, in the folder of the sweep


def best_of_search(found: Mapping[str, object], path: Path) -> str:
    """Write what a search found, the content of its file at `path`: the best values, or how many solutions.

    >>> best_of_search({"best_params": {"trainer.lr": 0.01}, "best_value": 3.25}, Path("s/optimization_results.yaml"))
    'best of the search: trainer.lr=0.01 with 3.25; s/optimization_results.yaml'
    """
    parameters, solutions = found.get("best_params"), found.get("solutions")
    if isinstance(parameters, Mapping):
        words = " ".join(f"{key}={value}" for key, value in parameters.items())
        return f"best of the search: {words} with {float(str(found['best_value'])):.6g}; {path}"
    number = len(solutions) if isinstance(solutions, list) else 0
    return f"best of the search: {count_of(number, 'solution')} of which none is better in all; {path}"
